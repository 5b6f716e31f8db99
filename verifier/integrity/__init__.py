"""Integrity rules: their catalog, and checks on what a candidate did; `static` reads its text."""
