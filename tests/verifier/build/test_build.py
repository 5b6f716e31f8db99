"""Tests of the build cache: its contents and keys, and that nothing is built twice."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from kernelwright.backends.cpp import Cpp
from kernelwright.backends.plain import PlainTorch
from kernelwright.errors import InfrastructureError
from kernelwright.schema import Limits
from kernelwright.verifier.build.build import build_candidate
from kernelwright.verifier.build.cache import Build
from kernelwright.verifier.judge import Judge
from kernelwright.verifier.reference.candidates import load_candidate
from kernelwright.verifier.reference.reference import Reference
from kernelwright.verifier.worker.faults import WorkerFault
from kernelwright.verifier.worker.start import await_start, start_worker
from tests.verifier import kit
from tests.verifier.kit import forward

RIGHT = "return x + 1"


@pytest.fixture(scope="module")
def reference() -> Iterator[Reference]:
    text = "class Model(nn.Module):\n    def forward(self, x):\n        return x + 1\n"
    limits = Limits(call_timeout_s=20, memory_bytes=2**30)
    with kit.live_reference(kit.task(text, limits)) as live:
        yield live


def build(reference: Reference, cache: Path, before: str, made_from: str | None = None) -> Build:
    candidate, other = (
        None if text is None else kit.candidate(forward(RIGHT, text))
        for text in (before, made_from)
    )
    assert candidate is not None
    return build_candidate(candidate, PlainTorch(), reference, cache, other)


LEAVES = """
import os
folder = os.environ["TORCH_EXTENSIONS_DIR"]
os.makedirs(folder, exist_ok=True)
seen = sorted(os.listdir(folder))
if seen: raise RuntimeError(f"I see {seen}")
open(os.path.join(folder, NAME), "w").close()
os.mkfifo(os.path.join(folder, "pipe"))
os.symlink("/", os.path.join(folder, "away"))
"""


def test_builds_are_kept_once_and_private(reference: Reference, tmp_path: Path) -> None:
    first = build(reference, tmp_path, f"NAME = 'first'\n{LEAVES}")
    assert (first.seconds or 0) > 0
    assert sorted(path.name for path in first.folder.iterdir()) == ["away", "bin", "first"]
    assert (first.folder / "away").is_symlink()
    again = build(reference, tmp_path, f"NAME = 'first'\n{LEAVES}")
    assert again == Build(first.folder, None, first.object_code)
    second = build(reference, tmp_path, f"NAME = 'second'\n{LEAVES}")
    assert second.folder != first.folder
    assert not (second.folder / "first").exists()
    builds = tmp_path / "builds"
    assert sorted(builds.iterdir()) == sorted([first.folder, second.folder])


def test_a_delivery_that_compiles_begins_with_what_its_candidate_built(
    reference: Reference, tmp_path: Path
) -> None:
    own = f"NAME = 'own'\n{LEAVES}"
    delivery = "import os\nif False: torch.compile\nBUILT = os.environ['TORCH_EXTENSIONS_DIR']\n"
    delivery += "assert os.path.exists(BUILT + '/own')\n"
    first = build(reference, tmp_path, own)
    guarded = build(reference, tmp_path, delivery, made_from=own)
    assert guarded.folder != first.folder
    assert (guarded.folder / "own").exists()
    with pytest.raises(WorkerFault):  # nothing is kept of that one
        build(reference, tmp_path, f"{delivery}# again", made_from="# never built")


TRICKS = {
    "the folder is a link": """
        os.symlink(VICTIM, build)
    """,
    "the folder of tools is a link": """
        os.mkdir(build)
        os.symlink(VICTIM, build + "/bin")
    """,
    "a tool is a link": """
        os.makedirs(build + "/bin")
        os.symlink(VICTIM + "/ninja", build + "/bin/ninja")
    """,
    "a tool is a hard link": """
        os.makedirs(build + "/bin")
        os.link(VICTIM + "/ninja", build + "/bin/ninja")
    """,
    "a program of its owner": """
        os.mkdir(build)
        open(build + "/program", "w").close()
        os.chmod(build + "/program", 0o6777)
    """,
}


@pytest.mark.parametrize("trick", TRICKS)
def test_what_is_left_in_a_build_folder_reaches_nobody_else(
    reference: Reference, tmp_path: Path, trick: str
) -> None:
    victim = tmp_path / "victim"
    victim.mkdir()
    (victim / "secret").write_text("secret")
    (victim / "ninja").write_text("mine")
    head = "import os\nbuild = os.environ['TORCH_EXTENSIONS_DIR']\n"
    before = f"{head}VICTIM = {str(victim)!r}\n{textwrap.dedent(TRICKS[trick])}"
    kept = build(reference, tmp_path, before).folder
    assert sorted(path.name for path in victim.iterdir()) == ["ninja", "secret"]
    assert (victim / "ninja").read_text() == "mine"
    assert not (kept / "secret").exists()
    for path in kept.rglob("*"):
        assert path.is_symlink() or path.stat().st_mode & 0o6022 == 0


def test_a_failed_build_is_not_kept(reference: Reference, tmp_path: Path) -> None:
    with pytest.raises(WorkerFault, match="no compiler today"):
        build(reference, tmp_path, "raise OSError('no compiler today')")
    assert not (tmp_path / "builds").exists()


def test_no_room_for_the_cache_is_nobodys_fault(reference: Reference, tmp_path: Path) -> None:
    (tmp_path / "builds").write_text("a file")
    with pytest.raises(InfrastructureError, match="cannot keep a build"):
        build(reference, tmp_path, "")


EXTENSION = """
import ctypes, os
from torch.utils.cpp_extension import load_inline
path = os.path.join(os.environ["TORCH_EXTENSIONS_DIR"], "mine", "mine.so")
made = os.path.exists(path) and os.stat(path).st_mtime_ns
load_inline("mine", 'extern "C" float one() { return 1; }', no_implicit_headers=True,
            is_python_module=False)
if made and os.stat(path).st_mtime_ns != made: raise RuntimeError("built again")
one = ctypes.CDLL(path).one
one.restype = ctypes.c_float
"""


def test_an_inline_extension_is_compiled_once(reference: Reference, tmp_path: Path) -> None:
    mine = kit.candidate(forward("return x + one()", EXTENSION))
    made = build_candidate(mine, PlainTorch(), reference, tmp_path)
    client = start_worker(reference.machine, reference.task.limits, build=made.folder)
    try:
        await_start(client)
        prepared = reference.prepare(reference.workloads()[0]).prepared
        instance = load_candidate(client, mine, prepared).instance
        assert kit.called(instance, torch.zeros(2)).tensors[0].tolist() == [1.0, 1.0]
    finally:
        client.process.kill()


LIGHT = '''
import ctypes, os, subprocess
def compiled(source):
    folder = os.environ["TORCH_EXTENSIONS_DIR"]
    os.makedirs(folder, exist_ok=True)
    path = os.path.join(folder, "light.so")
    if not os.path.exists(path):
        subprocess.run(["g++", "-shared", "-fPIC", "-O2", "-x", "c++", "-", "-o", path],
                       input=source.encode(), check=True)
    return ctypes.CDLL(path)
library = compiled(r"""
extern "C" void plus_one(const float* x, float* y, long n) {
  for (long i = 0; i < n; ++i) y[i] = x[i] + 1ERROR;
}
""")
'''


@pytest.mark.parametrize(("error", "status"), [("", "passed"), ("; int y = z", "compile_error")])
def test_a_c_function_is_built_and_its_errors_are_trimmed(
    reference: Reference, tmp_path: Path, error: str, status: str
) -> None:
    body = """
        x, y = x.contiguous(), torch.empty_like(x)
        pointers = ctypes.c_void_p(x.data_ptr()), ctypes.c_void_p(y.data_ptr())
        library.plus_one(*pointers, ctypes.c_long(x.numel()))
        return y
    """
    mine = kit.candidate(forward(body, LIGHT.replace("ERROR", error)), "cpp")
    result = Judge(reference, tmp_path).evaluate(mine, "fast")
    assert result.status == status
    if error:
        assert "<stdin>:3:" in result.reason
        assert "error: 'z' was not declared" in result.reason.replace("‘", "'").replace("’", "'")
        assert len(result.reason) < 1500
        assert "Traceback" not in result.reason


def test_only_torch_extensions_ask_for_the_precompiled_header(tmp_path: Path) -> None:
    assert Cpp().environment(kit.candidate(forward(RIGHT, LIGHT)), tmp_path) == {}
    assert list(tmp_path.iterdir()) == []
