"""Compile-time facts about GPU kernels, for GPUs that need not be here."""
