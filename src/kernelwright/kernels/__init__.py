"""The kernel library: parameterised kernels in C++, Triton and CUDA, and their sources."""
