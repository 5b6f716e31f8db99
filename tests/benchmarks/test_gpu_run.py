"""The GPU benchmark with torch and Triton alone, and its stand-in for pydantic."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.gpu import cheats
from benchmarks.gpu.records import BaseModel, TypeAdapter, field
from kernelwright.verifier.integrity.static.scan import static_flags

ROOT = Path(__file__).parents[2]
# Imports fail for all of the project's dependencies but torch, Triton and theirs.
BLOCKED = """
import sys

class Blocker:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {blocked!r}:
            raise ImportError(f"{{name}} is not there")
        return None

sys.meta_path.insert(0, Blocker())
sys.argv = ["run.py"]
sys.path[:0] = [{root!r}]
from benchmarks.gpu.records import install
install()
"""
PACKAGES = {
    "anthropic", "docker", "kernelguard", "langgraph", "openai", "optuna", "platformdirs",
    "pydantic_core", "rich", "typer",
}  # fmt: skip
EVALUATE = """
import json, tempfile
from pathlib import Path
from benchmarks.gpu import run
from kernelwright.verifier.worker.start import Machine
from tests.verifier import kit

here = run.Run(Path(tempfile.mkdtemp()))
here.machine = Machine(here.machine.sandbox, 1, "cpu")
right = run.candidate("import torch\\nclass ModelNew(torch.nn.Module):\\n"
                      "    def forward(self, x):\\n        return x.softmax(-1)\\n", "torch")
wrong = run.candidate(right.source.replace("softmax(-1)", "softmax(0)"), "torch")
found = here.evaluate("softmax", [right, wrong], "fast")
print(json.dumps([run.row(found[0]), run.caught(found[1])]))
"""


def test_the_judge_works_with_torch_and_triton_alone() -> None:
    head = BLOCKED.format(blocked=PACKAGES, root=str(ROOT))
    done = subprocess.run(
        [sys.executable, "-c", head + EVALUATE], capture_output=True, text=True, timeout=200
    )
    assert done.returncode == 0, done.stderr
    right, wrong = json.loads(done.stdout)
    assert right["accepted"] and right["speedup"]["eager"] and right["judge_us"]["candidate"] > 0
    assert wrong["refused"] and wrong["status"] == "incorrect_numerical"


def test_without_a_gpu_it_says_so() -> None:
    command = [sys.executable, str(ROOT / "benchmarks" / "gpu" / "run.py")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=200)
    assert done.returncode == 1 and "no GPU here" in done.stderr


@pytest.mark.parametrize("name", cheats.CHEATS)
def test_cheats_are_files_that_say_what_they_define(name: str) -> None:
    compile(cheats.source(name), name, "exec")
    assert "class ModelNew" in cheats.source(name)
    assert static_flags(cheats.source(name), "torch") is not None


class Inner(BaseModel):
    size: int = 3


class Outer(BaseModel):
    name: str
    inner: Inner | None = None
    many: tuple[Inner, ...] = ()
    table: dict[str, int] = field(default_factory=dict)


def test_records_without_pydantic() -> None:
    made = Outer(name="x", inner={"size": 4}, many=[{"size": 5}, {}])
    assert made.inner == Inner(size=4) and made.many == (Inner(size=5), Inner())
    assert Outer(name="y").table == {} and Outer(name="y").table is not Outer(name="y").table
    assert made.model_copy(update={"name": "z"}).name == "z" and made.name == "x"
    assert made.model_dump(exclude={"table"}) == {
        "name": "x",
        "inner": {"size": 4},
        "many": [{"size": 5}, {"size": 3}],
    }
    assert TypeAdapter(list[Inner]).validate_python([{"size": 1}]) == [Inner(size=1)]
    with pytest.raises(AttributeError, match="frozen"):
        made.name = "other"
    with pytest.raises(ValueError, match="unknown"):
        Outer(name="x", nme=3)
