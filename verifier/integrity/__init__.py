"""Integrity rules: their table, and those that read a candidate's text."""
