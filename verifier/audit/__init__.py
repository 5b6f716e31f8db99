"""The task audit: whether a task can be judged at all."""
