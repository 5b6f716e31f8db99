"""Kinds of tasks: which names their files define, and what a candidate has to be."""
