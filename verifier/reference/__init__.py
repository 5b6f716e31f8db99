"""The reference side of a task: inputs, weights, expected values, baselines."""
