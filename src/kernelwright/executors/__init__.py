"""Evaluations as data: a job goes in, a verdict comes out."""
