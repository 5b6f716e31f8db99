"""The verdict on a candidate: judge, worker, comparison, timing."""
