"""Task files written from live modules.

`torch.export` runs a module once on given arguments and keeps the operators that it met.
`source.py` writes them as one task file in KernelBench's format, which needs torch alone: whatever
the module is made of (packages, closures, configuration objects), the file holds none of it.

    call.py      the form of a call: which of its arguments are tensors, and what else is fixed
    program.py   torch.export, and sentences on what it can't take
    sizes.py     the sizes that the export covers, as a condition
    graph.py     the operators as statements of `forward`
    state.py     parameters and buffers as statements of `__init__`
    values.py    tensors as Python expressions
    source.py    the file
    files.py     the same for a class in a file, as `kernelwright optimize mine.py:Class` names it

The file's `forward` takes the tensors of the call alone, one after the other, and returns the
tensors of the result; `call.py` knows the nesting of both. Everything that is no tensor was fixed
by the export: Python numbers and flags, branches, train() or eval(). What takes the place of the
module has to look after that: see `kernelwright.live`.
"""
