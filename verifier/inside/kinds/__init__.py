"""One adapter for each kind of task, which gives the worker a module to build and to call.

Each is a stand-alone file: it runs in the untrusted process and imports nothing of ours.
"""
