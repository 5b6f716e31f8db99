"""What compilers make of GPU kernels, for GPUs that need not be here: compile-time facts."""
