"""Conformance suites of the seams, for implementations of ours and of others.

Each is a class of tests: subclass it in a test file, give it the fixtures that it names, and run
pytest, which must be installed. Our own implementations run the same.
"""
