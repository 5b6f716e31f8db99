"""What language models are shown: templates, exemplars, rendering."""
