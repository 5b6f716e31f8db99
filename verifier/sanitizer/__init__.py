"""Memory errors: C++ rebuilt with AddressSanitizer and UBSan, GPU kernels under memcheck."""
