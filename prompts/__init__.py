"""Prompts for language models: templates, exemplars, rendering."""
