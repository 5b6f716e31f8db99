"""Optimizing without a model: kernel library, torch.compile, Optuna."""
