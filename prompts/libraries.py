"""The kernel libraries, by backend."""

from __future__ import annotations

from kernelwright.prompts.cpp_library import CPP
from kernelwright.prompts.cuda_library import CUDA
from kernelwright.prompts.triton_library import TRITON

LIBRARIES = {library.backend: library for library in (CPP, TRITON, CUDA)}
