"""The delivered file: its fast path runs only where it was proven."""
