"""Programs that run in the untrusted process: stdlib, torch and Triton, nothing of kernelwright."""
