"""What only GPUs need: their state, and how else their calls can be timed."""
