"""Building candidates, and the cache of what was built."""
