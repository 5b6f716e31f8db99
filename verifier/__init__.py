"""The verdict on a candidate: is it right, how fast is it, and does it cheat."""
