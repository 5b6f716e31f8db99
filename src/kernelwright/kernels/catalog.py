"""The kernel libraries, by backend."""

from __future__ import annotations

from kernelwright.kernels.cpp import CPP
from kernelwright.kernels.cuda import CUDA
from kernelwright.kernels.triton import TRITON

LIBRARIES = {library.backend: library for library in (CPP, TRITON, CUDA)}
