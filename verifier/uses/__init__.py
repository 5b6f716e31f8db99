"""The uses of a candidate: whether it does what the reference does, wherever a user calls it."""
