"""Rows for training, made from the attempts of stored runs."""
