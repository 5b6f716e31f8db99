"""Search strategies: what the next attempts go on from, and how."""
