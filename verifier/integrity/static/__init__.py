"""Static rules: those that read a candidate's text."""
