"""Runs over one task or many, and their figures."""
