"""Whether the values of a candidate are right."""
