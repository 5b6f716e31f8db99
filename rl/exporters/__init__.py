"""Files that a trainer loads as they are."""
