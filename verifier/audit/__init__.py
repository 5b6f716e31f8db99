"""Whether a task can be judged at all."""
