"""The store: runs and attempts in one database."""
