"""Sandboxes: workers that run untrusted code under limits."""
