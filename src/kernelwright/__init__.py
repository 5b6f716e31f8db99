"""kernelwright: a PyTorch module goes in, a verified faster one comes out."""

__version__ = "0.1.0"
