"""Evidence for the profiler: where the time goes, and how far the roof is."""
