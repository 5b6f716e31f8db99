"""Output of compilers and interpreters, trimmed to the errors."""

from __future__ import annotations

from kernelwright.backends.diagnostics import (
    MAX_CHARACTERS,
    is_explained,
    trim_compiler_output,
    trim_traceback,
)

GCC = """[1/2] c++ -MMD -DTORCH_EXTENSION_NAME=x -c /tmp/a/build/x/main.cpp -o main.o
FAILED: main.o
/tmp/a/build/x/main.cpp: In function 'float f()':
/tmp/a/build/x/main.cpp:3:10: error: 'y' was not declared in this scope
    3 |   return y;
      |          ^
/usr/include/vector:7:1: note: candidate expects 2 arguments
/tmp/a/build/x/main.cpp:9:1: warning: no return statement
/tmp/a/build/x/main.cpp:11:2: fatal error: nothing.h: No such file or directory
compilation terminated.
/usr/bin/ld: main.o: undefined reference to `missing()'
"""
PYTHON = """some words
Traceback (most recent call last):
  File "/tmp/kernelwright-1/worker.py", line 402, in <module>
    main()
  File "/tmp/kernelwright-1/candidate.py", line 7, in forward
    return self.norm(x)
           ^^^^^^^^^^^^
  File "/venv/lib/python3.11/site-packages/torch/nn/modules/module.py", line 1, in _call
    raise error
ValueError: expected 2D input
(got 3D input)
"""


def test_compiler_errors_keep_file_line_and_excerpt() -> None:
    text = trim_traceback(GCC + PYTHON)
    assert text == trim_compiler_output(GCC)
    assert text.splitlines() == [
        "main.cpp:3:10: error: 'y' was not declared in this scope",
        "    3 |   return y;",
        "      |          ^",
        "main.cpp:11:2: fatal error: nothing.h: No such file or directory",
        "ld: main.o: undefined reference to `missing()'",
    ]
    assert is_explained(GCC)


NVCC = """candidate_0.cu(9): warning #177-D: variable "n" was declared but never referenced
      int n = 3;
          ^

/tmp/a/build/candidate_0.cu(12): error: identifier "foo" is undefined
      y[i] = foo;
             ^

1 error detected in the compilation of "/tmp/a/build/candidate_0.cu".
"""


def test_errors_of_cuda_compilers() -> None:
    assert trim_compiler_output(NVCC).splitlines() == [
        'candidate_0.cu(12): error: identifier "foo" is undefined',
        "      y[i] = foo;",
        "             ^",
    ]
    shared = "ptxas error   : Entry function 'f' uses too much shared data (0x20000 bytes)\n"
    assert trim_traceback(f"words\n{shared}") == shared.strip()
    assert trim_compiler_output("nvcc fatal   : Unsupported gpu architecture 'compute_42'")


def test_tracebacks_start_with_the_exception_and_keep_own_frames() -> None:
    assert trim_traceback(PYTHON).splitlines() == [
        "ValueError: expected 2D input",
        "(got 3D input)",
        '  File "candidate.py", line 7, in forward',
        "    return self.norm(x)",
        "           ^^^^^^^^^^^^",
    ]
    assert is_explained(PYTHON)
    foreign = PYTHON.replace("candidate.py", "helper.py")
    assert 'module.py", line 1' in trim_traceback(foreign)


def test_other_output_is_kept_and_everything_is_capped() -> None:
    assert trim_traceback("  Killed\n") == "Killed"
    assert trim_traceback("") == trim_compiler_output("fine\n") == ""
    assert not is_explained("Killed")
    many = "".join(f"a.cpp:{line}:1: error: {'x' * 90}\n" for line in range(500))
    for text in (many, "y" * 5000, PYTHON.replace("expected", "z" * 5000)):
        trimmed = trim_traceback(text)
        assert len(trimmed) == MAX_CHARACTERS
        assert trimmed.endswith("[...]")
    assert trim_traceback(many).startswith("a.cpp:0:1: error: ")
