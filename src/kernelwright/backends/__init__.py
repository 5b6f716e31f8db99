"""Languages a candidate can be written in: availability, build, diagnostics."""
