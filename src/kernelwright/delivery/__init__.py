"""What is delivered: a file whose fast path runs only where it was proven."""
