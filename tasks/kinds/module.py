"""The kind `module`: a PyTorch module in KernelBench's format.

The format (github.com/ScalingIntelligence/KernelBench) is a file with `class Model`
(`__init__(*init_inputs)`, `forward(*inputs)`), `get_inputs()` and `get_init_inputs()`. A
candidate's file defines `ModelNew`. What works by these names takes them from here, except texts
that run by themselves (the guard and its splicing, `reproduce.py`) and the default of stored
candidates. Messages may spell them.
"""

from __future__ import annotations

import ast
from pathlib import Path

from kernelwright.errors import TaskError


class ModuleKind:
    """See `TaskKind`."""

    name = "module"
    reference = "Model"
    candidate = "ModelNew"
    inputs = "get_inputs"
    constructor_arguments = "get_init_inputs"
    # KernelBench's; a candidate without matching parameter names depends on it.
    constructor_seed = 42
    adapter = Path(__file__).parents[2] / "verifier" / "inside" / "kinds" / "module.py"
    hint = "a task file defines class Model, get_inputs() and get_init_inputs()"
    contract = """\
- defines `class ModelNew(nn.Module)` with the constructor and `forward` of `Model`: same \
arguments; same outputs in nesting, shape, dtype and device;
- creates parameters, buffers and submodules with the same names and shapes as `Model`: the \
reference's weights are copied into them by name after construction, so don't derive anything from \
their values in `__init__`;"""
    request = (
        "Make this PyTorch module faster. Write a complete file that defines `ModelNew` with the "
        "same constructor and the same `forward` as `Model`, and returns the same values within "
        "the usual floating-point tolerance for every input."
    )

    def may_be(self, text: str) -> bool:
        """See `TaskKind.may_be`."""
        return f"class {self.reference}" in text and f"def {self.inputs}" in text

    def check(self, tree: ast.Module, path: Path) -> None:
        """See `TaskKind.check`."""
        classes = {node.name: node for node in tree.body if isinstance(node, ast.ClassDef)}
        functions = {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}
        if self.reference not in classes:
            raise TaskError(f"{str(path)!r} defines no class {self.reference}", hint=self.hint)
        for name in (self.inputs, self.constructor_arguments):
            if name not in functions:
                raise TaskError(f"{str(path)!r} defines no {name}()", hint=self.hint)
        if not _has_forward(classes[self.reference]):
            message = f"class {self.reference} in {str(path)!r} has no forward()"
            raise TaskError(message, hint=self.hint)


def _has_forward(model: ast.ClassDef) -> bool:
    # A base class other than nn.Module may bring forward along.
    own = any(isinstance(n, ast.FunctionDef) and n.name == "forward" for n in model.body)
    plain = any(ast.unparse(base).rpartition(".")[2] == "Module" for base in model.bases)
    return own or not plain


MODULE = ModuleKind()
