"""reproduce.py: the program beside a result, and its run in ordinary interpreters after a win."""
