"""Tasks to optimize: loading KernelBench-format files, and the starter library."""
