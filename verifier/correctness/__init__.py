"""The correctness of a candidate's values."""
