"""The package as Python users meet it: `kernelwright.optimize`, `verify`, `run` and `runs`.

    optimize.py    a live module, a class in a file, or a task: one run, and its `Optimized`
    optimized.py   the answer: a module to use, a file, a report, or why there is none
    module.py      the module that is handed over: the user's own, with a fast path in front
    watch.py       what the export fixed of it, looked at before each call
    trial.py       three uses of it, before it is handed over
    verify.py      the verdict on a candidate
    stored.py      stored runs as plain dictionaries

How a live module gets its fast path. `kernelwright.tasks.export` writes the module as a task file;
the file that a run delivers for it has a guard, a fast path, and the scope of its proof. The
module that is handed over is a *view*: an object of a subclass of the user's class that has the
same `__dict__` as the user's object. So parameters, buffers, submodules, modes and hooks are those
of the original, and whatever is done to one of the two is done to both. The view differs in
`forward` alone, which asks three questions in turn:

1. Has the call the form of the exported one (`tasks/export/call.py`)?
2. Is what the export fixed as it was (`watch.py`): modes, attributes, submodules, classes?
3. Are arguments and state inside the proven scope? That is the delivered file's own guard; the
   view gives it a model that shares the original's parameters, and whose way out is no forward but
   a mark.

If one answer is no, the forward of the user's own class runs: not the exported graph. This is
counted, and the first call of each reason warns.
"""
