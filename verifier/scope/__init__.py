"""The scope of a proof: which calls it covers, found from the reference and judged."""
