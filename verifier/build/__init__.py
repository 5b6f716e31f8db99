"""Builds of candidates, and their cache."""
