"""The task file of a live module."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import torch
from torch import nn
from torch.export import ExportedProgram
from torch.export.graph_signature import InputKind, InputSpec
from torch.fx import Node
from torch.utils import _pytree as pytree

from kernelwright.errors import UsageError
from kernelwright.tasks.export.call import CallForm
from kernelwright.tasks.export.graph import NAMES, Statements
from kernelwright.tasks.export.program import exported
from kernelwright.tasks.export.sizes import condition
from kernelwright.tasks.export.state import attribute, constants, constants_name, constructor
from kernelwright.tasks.export.values import drawn, exact, is_constant

OTHER_SIZES = "torch.export found that the module does something else for these sizes"
FEW_VALUES = 4


class ResultForm(NamedTuple):
    """The nesting of a module's result, as the file returns its tensors one after the other."""

    spec: pytree.TreeSpec
    constants: Mapping[int, Any]
    """Position and value of what is no tensor and no number that depends on sizes."""
    leaves: int
    """Number of all leaves."""

    def nested(self, result: Any) -> Any:
        """Return what the module returns, from what the file does."""
        if self.leaves == 1:
            return pytree.tree_unflatten([result], self.spec)
        rest = iter(result if self.leaves - len(self.constants) > 1 else [result])
        places = range(self.leaves)
        found = [self.constants[at] if at in self.constants else next(rest) for at in places]
        return pytree.tree_unflatten(found, self.spec)


class WrittenTask(NamedTuple):
    """A module as a task file."""

    source: str
    results: ResultForm
    container: str
    """The name of the submodule that holds the constants, in the file alone."""
    constants: Mapping[str, torch.Tensor]
    """Tensors that the module uses and that are neither parameters nor buffers of it."""

    def sharing(self, make: Callable[[], nn.Module], module: nn.Module) -> nn.Module:
        """Return an instance of the file's class with the very parameters and buffers of a module.

        Args:
            make: makes it; what it draws takes no memory.
        """
        with torch.device("meta"):
            made = make()
        for path, part in made.named_modules():
            if path == self.container:
                part._buffers.update(self.constants)
                continue
            theirs = vars(module.get_submodule(path))
            vars(part)["_parameters"] = theirs["_parameters"]
            vars(part)["_buffers"] = theirs["_buffers"]
        return made


def written_task(module: nn.Module, form: CallForm, by_operators: bool = False) -> WrittenTask:
    """Return the task file of a module, in the mode that it is in, and the form of its results.

    Args:
        form: the call that is exported.
        by_operators: see `Statements`.

    Raises:
        UsageError: the module can't be exported, or holds what no file can; the sentence says what.
    """
    program = exported(module, form)
    specs = program.graph_signature.input_specs
    _require_tensors_only(specs)
    arguments = _arguments(specs, program)
    container = constants_name(module)
    lifted = {spec.arg.name: spec for spec in specs if spec.kind is InputKind.CONSTANT_TENSOR}
    names = {
        **arguments,
        **{name: f"self.{container}.{name}" for name in lifted},
        **{
            spec.arg.name: attribute(str(spec.target))
            for spec in specs
            if spec.kind in (InputKind.PARAMETER, InputKind.BUFFER)
        },
    }
    statements = Statements(program.graph_module, names, by_operators)
    outputs = program.graph.output_node().args[0]
    assert isinstance(outputs, (list, tuple))
    own = {n: program.constants[str(spec.target)] for n, spec in lifted.items()}
    init = [*constructor(module), *constants(container, own)]
    forward = [
        *_checked_sizes(program, arguments),
        *statements.lines,
        _returned(statements, outputs),
    ]
    source = _file(module, form, init, list(arguments.values()), forward)
    return WrittenTask(source, _results(program, outputs), container, own)


def _require_tensors_only(specs: Sequence[InputSpec]) -> None:
    for spec in specs:
        if spec.kind in (InputKind.CUSTOM_OBJ, InputKind.TOKEN):
            raise UsageError(
                f"the module uses an object of C++ ({spec.target}), which no task file holds",
                hint="optimize a part of the module without it",
            )


def _arguments(specs: Sequence[InputSpec], program: ExportedProgram) -> dict[str, str]:
    """Return the names of forward's arguments by those of their placeholders."""
    nodes = {node.name: node for node in program.graph.nodes if node.op == "placeholder"}
    given = [spec.arg.name for spec in specs if spec.kind is InputKind.USER_INPUT]
    tensors = [n for n in given if isinstance(nodes[n].meta.get("val"), torch.Tensor)]
    return {name: f"{name}_" if name in NAMES else name for name in tensors}


def _checked_sizes(program: ExportedProgram, arguments: Mapping[str, str]) -> list[str]:
    nodes = {node.name: node for node in program.graph.nodes if node.op == "placeholder"}
    values = {own: nodes[name].meta["val"] for name, own in arguments.items()}
    return [f"if not ({condition(program, values)}):", f"    raise ValueError({OTHER_SIZES!r})"]


def _returned(statements: Statements, outputs: Sequence[Any]) -> str:
    results = [statements.text(one) for one in outputs if isinstance(one, Node)]
    if not results:
        raise UsageError(
            "the module returns no tensor that depends on its arguments",
            hint="there is nothing to make faster",
        )
    return f"return {', '.join(results)}"


def _results(program: ExportedProgram, outputs: Sequence[Any]) -> ResultForm:
    spec = program.call_spec.out_spec
    assert spec is not None
    fixed = {at: one for at, one in enumerate(outputs) if not isinstance(one, Node)}
    return ResultForm(spec, fixed, len(outputs))


def _file(
    module: nn.Module,
    form: CallForm,
    init: Iterable[str],
    arguments: Sequence[str],
    forward: Sequence[str],
) -> str:
    inputs = ", ".join(input_text(tensor) for tensor in form.example)
    body = "\n".join(f"        {line}" for line in init)
    code = "\n".join(f"        {line}" for line in forward)
    text = f"""
class Model(nn.Module):
    def __init__(self):
        super().__init__()
{body}

    def forward(self, {", ".join(arguments)}):
{code}


def get_inputs():
    return [{inputs}]


def get_init_inputs():
    return []
"""
    used = [name for name in ("math", "operator") if f"{name}." in text]
    imports = "".join(f"import {name}\n" for name in used)
    imports += "\n" if imports else ""
    return f'"""{_title(module, form)}"""\n\n{imports}import torch\nfrom torch import nn\n\n{text}'


def mode_words(module: nn.Module) -> str:
    """Return the mode that a module is in, and all its parts; `mixed` where they differ."""
    modes = {part.training for part in module.modules()}
    return "mixed" if len(modes) > 1 else "train()" if module.training else "eval()"


def _title(module: nn.Module, form: CallForm) -> str:
    lines = [f"{type(module).__name__} as torch.export found it; mode: {mode_words(module)}."]
    if form.fixed:
        fixed = ", ".join(form.fixed_words).replace("\\", "\\\\").replace('"', "'")
        lines += ["", f"Fixed: {fixed}", ""]
    return "\n".join(lines)


def input_text(tensor: torch.Tensor) -> str:
    """Return an expression for an argument like this one.

    Masks, and integers in order (offsets, positions), stay as they are. A constant tensor of floats
    stands for any values of its sign.
    """
    values = tensor.detach()
    if not _is_dense(values):
        values = values.contiguous()
    if not values.dtype.is_floating_point:
        return _has_order(values) and exact(values) or drawn(values)
    if values.numel() and is_constant(values):
        return _any_values(values)
    flat = values.reshape(-1)
    few = len(set(flat[:4096].tolist())) <= min(FEW_VALUES, flat.numel() // 2)
    is_mask = few or not bool(values.isfinite().all())
    return is_mask and exact(values) or drawn(values)


def _has_order(values: torch.Tensor) -> bool:
    flat = values.reshape(-1)
    return values.dtype is torch.bool or bool((flat[1:] >= flat[:-1]).all())


def _any_values(values: torch.Tensor) -> str:
    """Return an expression for floats in the place of a constant: a zero is any number."""
    value = float(values.reshape(-1)[0])
    like = torch.tensor([-1.0, 1.0] if value == 0 else [value / 2, value * 3 / 2])
    return drawn(like.to(values.dtype)[(torch.arange(values.numel()) % 2)].reshape(values.shape))


def _is_dense(tensor: torch.Tensor) -> bool:
    """Return whether a tensor's elements lie side by side, in whatever order of dimensions."""
    pairs = sorted(zip(tensor.stride(), tensor.shape, strict=True))
    step = 1
    for stride, size in pairs:
        if size > 1:
            if stride != step:
                return False
            step *= size
    return True
