"""The verdict: judge, worker, comparison, timing."""
