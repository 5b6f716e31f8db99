"""Programs that run in the untrusted process: stdlib and torch, nothing of kernelwright."""
