"""Runs and attempts in one database."""
