"""Tests of the sanitizers on C++ candidates: findings, and none on clean code."""

from __future__ import annotations

import shutil
import textwrap
from collections.abc import Iterator
from pathlib import Path

import pytest

from kernelwright.schema import Flag, Limits, Status, Workload
from kernelwright.tasks.loader import load_task
from kernelwright.verifier.judge import Judge
from kernelwright.verifier.reference.reference import Reference
from kernelwright.verifier.sanitizer import rebuild
from kernelwright.verifier.sanitizer.asan import (
    INCOMPLETE,
    UNAVAILABLE,
    sanitized_inputs,
    sanitizer_flags,
)
from kernelwright.verifier.sanitizer.rebuild import sanitizer_libraries
from kernelwright.verifier.sanitizer.report import ADDRESS, UNDEFINED, find_report
from tests.agents.test_offline_library import library_file
from tests.verifier import kit
from tests.verifier.kit import forward

pytestmark = pytest.mark.skipif(
    sanitizer_libraries("g++") is None, reason="g++ comes without its sanitizers here"
)
# Compiles as the library's candidates do, with all options that might keep the sanitizers out.
LOADED = '''
import ctypes, os, subprocess
def compiled(source):
    folder = os.environ["TORCH_EXTENSIONS_DIR"]
    os.makedirs(folder, exist_ok=True)
    path = os.path.join(folder, "light.so")
    if not os.path.exists(path):
        subprocess.run(["{compiler}", "-shared", "-fPIC", "-Ofast", "-march=native", "-flto",
                        "-fopenmp", "-x", "c++", "-", "-o", path],
                       input=source.encode(), check=True)
    return ctypes.CDLL(path)
SOURCE = r"""{source}"""
library = compiled(SOURCE)
'''
BODY = """
x, y = x.contiguous(), torch.empty_like(x)
pointers = ctypes.c_void_p(x.data_ptr()), ctypes.c_void_p(y.data_ptr())
library.f(*pointers, ctypes.c_long(x.numel()))
return y
"""


def loaded(source: str, body: str = BODY, compiler: str = "g++") -> str:
    """Return a candidate that compiles C++ with a function f(x, y, n)."""
    return forward(body, LOADED.format(source=source.strip(), compiler=compiler))


def function(statements: str) -> str:
    """Return the C++ of f, with the statements from line 4 on."""
    start = "#include <cstring>\n#include <vector>\n"
    return f'{start}extern "C" void f(const float* x, float* y, long n) {{\n{statements}\n}}'


@pytest.fixture(scope="module")
def reference() -> Iterator[Reference]:
    text = "class Model(nn.Module):\n    def forward(self, x):\n        return x + 1\n"
    limits = Limits(build_timeout_s=30, call_timeout_s=20, memory_bytes=2**30)
    values_only = Workload(name="default", role="test")
    with kit.live_reference(kit.task(text, limits, (values_only,))) as live:
        yield live


def found(reference: Reference, source: str) -> list[Flag]:
    inputs = [sanitized_inputs(reference.prepare(one)) for one in reference.workloads()]
    return sanitizer_flags(kit.candidate(source, "cpp"), reference, inputs)


ERRORS = {
    "write-past-output": (
        "#pragma omp parallel for\nfor (long i = 0; i <= n; ++i) y[i] = x[0];",
        ADDRESS,
        "heap-buffer-overflow: writes 4 bytes, 0 bytes past the end of an allocation, perhaps"
        " output 0, of 1056 bytes",
    ),
    "read-past-input": (
        "for (long i = 0; i < n; ++i) y[i] = x[i] + x[i + 1];",
        ADDRESS,
        "heap-buffer-overflow: reads 4 bytes, 0 bytes past the end of 'input 0' of 1056 bytes",
    ),
    "copy-past-input": (
        "memcpy(y, x - 1, 4 * n);",
        ADDRESS,
        "heap-buffer-overflow: reads 1056 bytes, 4 bytes before the start of 'input 0'",
    ),
    "local-array": (
        "float row[4]; float* p = row;\n"
        "for (long i = 0; i < n; ++i) p[i] = x[i];\ny[0] = row[n % 4];",
        ADDRESS,
        "stack-buffer-overflow: writes 4 bytes, overflows the local variable 'row' of line 4",
    ),
    "local-array-by-index": (
        "float row[4];\nfor (long i = 0; i < n; ++i) row[i] = x[i];\ny[0] = row[n % 4];",
        UNDEFINED,
        "index 4 out of bounds for type 'float [4]'",
    ),
    "freed": (
        "float* p = new float[n];\nmemcpy(p, x, 4 * n);\ndelete[] p;\ny[0] = p[n / 2];",
        ADDRESS,
        "heap-use-after-free: reads 4 bytes, 528 bytes into freed memory of 1056 bytes",
    ),
    "overflow": (
        "int big = 2147483647 - (n < 9);\ny[0] = big + static_cast<int>(n);",
        UNDEFINED,
        "signed integer overflow",
    ),
}


@pytest.mark.parametrize("name", ERRORS)
def test_an_error_is_refused_with_its_line(reference: Reference, name: str) -> None:
    statements, rule, words = ERRORS[name]
    compiler = shutil.which("g++")  # by its whole path, as other programs may call it
    assert compiler is not None
    (flag,) = found(reference, loaded(function(statements), compiler=compiler))
    assert (flag.rule, flag.severity) == (rule, "refuse")
    assert words in flag.evidence
    assert "workload 'default'" in flag.evidence
    lines = function(statements).splitlines()
    assert any(f"<stdin>:{at}: `{line}`" in flag.evidence for at, line in enumerate(lines, 1))


INLINE = '''
import ctypes
from torch.utils.cpp_extension import load_inline
SOURCE = """
int table[4];
extern "C" void f(const float* x, float* y, long n) {
  for (long i = 0; i < n; ++i) y[i] = *(table + i);
}
"""
library = ctypes.CDLL(load_inline(
    "mine", SOURCE, no_implicit_headers=True, is_python_module=False, extra_cflags=["-O3"]))
'''


def test_an_inline_extension_is_rebuilt_too(reference: Reference) -> None:
    (flag,) = found(reference, forward(BODY, INLINE))
    words = "global-buffer-overflow: reads 4 bytes, 0 bytes past the end of the global variable"
    assert words in flag.evidence
    assert "main.cpp:4: `for (long i = 0; i < n; ++i) y[i] = *(table + i);`" in flag.evidence


def test_a_result_in_freed_memory_is_refused(reference: Reference) -> None:
    source = """
#include <cstdlib>
extern "C" float* f(long n) { return static_cast<float*>(calloc(n, 4)); }
extern "C" void g(float* p) { free(p); }
"""
    body = """
        library.f.restype = ctypes.c_void_p
        address = library.f(ctypes.c_long(x.numel()))
        y = torch.frombuffer((ctypes.c_float * x.numel()).from_address(address), dtype=x.dtype)
        library.g(ctypes.c_void_p(address))
        return y.view_as(x)
    """
    (flag,) = found(reference, loaded(source, body))
    assert (flag.rule, flag.severity) == (ADDRESS, "refuse")
    assert "heap-use-after-free" in flag.evidence
    assert "in g at <stdin>:3: `extern" in flag.evidence


RIGHT = "for (long i = 0; i < n; ++i) y[i] = x[i] + 1;"
SHY = loaded("#ifdef __SANITIZE_ADDRESS__\n#error not here\n#endif\n" + function(RIGHT))


def test_nothing_is_found_where_nothing_is(reference: Reference) -> None:
    before = "try: torch.ones(2) + torch.ones(3)\nexcept RuntimeError: pass\n"
    source = loaded(function(RIGHT)).replace("import torch\n", f"import torch\n{before}", 1)
    assert found(reference, source) == []


@pytest.mark.parametrize(
    ("source", "rule", "words"),
    [
        (SHY, UNAVAILABLE, "#error not here"),
        (forward("return x + 1"), UNAVAILABLE, "none of its code was compiled"),
        (
            loaded("#include <cstdlib>\n" + function("abort();")),
            INCOMPLETE,
            "ended without a report: the worker ended with signal 6",
        ),
        (
            forward("import os\nos.kill(os.getpid(), 11)\nreturn x"),
            INCOMPLETE,
            "SEGV ... workload 'default', outside the candidate's C++",
        ),
    ],
)
def test_what_could_not_be_looked_at_is_said(
    reference: Reference, source: str, rule: str, words: str
) -> None:
    (flag,) = found(reference, source)
    assert (flag.rule, flag.severity) == (rule, "info")
    assert all(part in flag.evidence for part in words.split(" ... "))


def test_a_read_past_a_parameter_names_it() -> None:
    model = """
        class {0}(nn.Module):
            def __init__(self):
                super().__init__()
                self.bias = nn.Parameter(torch.randn(33))

            def forward(self, x):
                {1}
        """
    body = """x, y = x.contiguous(), torch.empty_like(x)
                library.f(ctypes.c_void_p(self.bias.data_ptr()), ctypes.c_void_p(y.data_ptr()),
                          ctypes.c_long(34))
                return x + self.bias"""
    before = LOADED.format(source=function(RIGHT), compiler="g++")
    mine = kit.source(before) + textwrap.dedent(model.format("ModelNew", body))
    limits = Limits(build_timeout_s=30, call_timeout_s=20, memory_bytes=2**30)
    subject = kit.task(model.format("Model", "return x + self.bias"), limits)
    with kit.live_reference(subject) as live:
        (flag,) = found(live, mine)
    assert "reads 4 bytes, 0 bytes past the end of 'bias' of 132 bytes" in flag.evidence


def test_memory_without_end_is_no_refusal(
    reference: Reference, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rebuild, "BASE_MEMORY_BYTES", 0)  # the task's limit is soon full
    hungry = "for (;;) memset(new char[1 << 26], 1, 1 << 26);"
    (flag,) = found(reference, loaded(function(hungry)))
    assert (flag.rule, flag.severity) == (INCOMPLETE, "info")
    assert "hard rss limit exhausted" in flag.evidence


def test_a_call_that_takes_too_long_is_no_refusal(
    reference: Reference, monkeypatch: pytest.MonkeyPatch
) -> None:
    limits = reference.task.limits.model_copy(update={"call_timeout_s": 2})
    monkeypatch.setattr(reference, "task", reference.task.model_copy(update={"limits": limits}))
    forever = "volatile float* p = y;\nfor (;;) p[0] = x[0];"
    (flag,) = found(reference, loaded(function(forever)))
    assert (flag.rule, flag.severity) == (INCOMPLETE, "info")
    assert "did not answer within 2 s" in flag.evidence


def test_a_compiler_without_sanitizers_is_said(
    reference: Reference, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert sanitizer_libraries("no-such-compiler") is None
    monkeypatch.setenv("CXX", "true")  # answers with nothing
    (flag,) = found(reference, loaded(function(RIGHT)))
    assert flag.rule == UNAVAILABLE
    assert "true comes without libasan.so" in flag.evidence


def test_the_first_of_two_reports_counts() -> None:
    later = "==1==ERROR: AddressSanitizer: SEGV on unknown address\n"
    report = find_report("noise\n<stdin>:3:4: runtime error: division by zero\n" + later)
    assert report is not None
    assert (report.rule, report.kind) == (UNDEFINED, "division by zero")
    endless = "<stdin>:3:4: runtime error: " + "Thread T1" + "1" * 10**6 + "\n" * 10**6
    assert find_report(endless) is not None  # within the time limit of a test
    assert find_report("nothing of the kind\nruntime error: mine\n") is None


def test_a_strict_verdict_has_the_findings(reference: Reference, tmp_path: Path) -> None:
    overflow = "volatile int big = 2147483647;\nbig = big + static_cast<int>(n);"
    judge = Judge(reference, tmp_path)
    cheat = kit.candidate(loaded(function(f"{RIGHT}\n{overflow}")), "cpp")
    refused = judge.evaluate(cheat, "strict")
    assert refused.status is Status.REWARD_HACK
    assert "signed integer overflow" in refused.reason
    assert refused.flags[0].rule == UNDEFINED
    assert refused.workloads[0].correctness is not None
    unseen = judge.evaluate(kit.candidate(SHY, "cpp"), "strict")
    assert unseen.status is Status.PASSED
    assert UNAVAILABLE in [flag.rule for flag in unseen.flags]


# The most different kernels; `benchmarks/sanitizers.py` takes all of them.
@pytest.mark.parametrize("name", ["attention", "depthwise_conv", "topk"])
def test_kernels_of_the_library_are_clean(name: str) -> None:
    task = load_task(f"library/{name}")
    odd = tuple(w for w in task.workloads if w.target == "cpu" and w.role == "test")
    assert odd
    subject = task.model_copy(update={"workloads": odd})
    with kit.live_reference(subject, threads=2) as live:
        assert found(live, library_file(task.id)) == []
