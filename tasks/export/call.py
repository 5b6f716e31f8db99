"""The form of a call of a module: its tensors, one after the other, and all that is fixed."""

from __future__ import annotations

import inspect
import operator
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch.utils import _pytree as pytree

from kernelwright.errors import UsageError

OTHER_ARGUMENTS = "other arguments are given"


class CallForm:
    """The form of one call.

    Another call has the same form if it binds the same parameters, by position or by name, nests
    its tensors in the same way, and gives equal values for everything that is no tensor.

    Args:
        forward: a bound method.
        args: its positional arguments.
        kwargs: its keyword arguments.

    Raises:
        UsageError: the method does not take these arguments, or there is no tensor among them.
    """

    def __init__(
        self, forward: Callable[..., Any], args: Sequence[Any], kwargs: Mapping[str, Any]
    ) -> None:
        self._signature = inspect.signature(forward)
        if not isinstance(args, (tuple, list)) or not isinstance(kwargs, Mapping):
            kinds = f"{type(args).__name__} and {type(kwargs).__name__}"
            raise UsageError(
                f"args and kwargs are a tuple and a dict, not {kinds}",
                hint="as in optimize(module, (x,), {'mask': mask})",
            )
        try:
            bound = self._signature.bind(*args, **kwargs)
        except TypeError as error:
            raise UsageError(
                f"forward does not take these arguments: {error}",
                hint=f"it is forward{self._signature}; args is a tuple, even of one: (x,)",
            ) from error
        self.arguments = dict(bound.arguments)
        """Values by the names of the parameters that are given."""
        self.args, self.kwargs = bound.args, bound.kwargs
        leaves, self._spec = pytree.tree_flatten((self.args, self.kwargs))
        self.places = [at for at, leaf in enumerate(leaves) if isinstance(leaf, torch.Tensor)]
        """Positions of the tensors among all leaves."""
        if not self.places:
            raise UsageError(
                "there is no tensor among the arguments",
                hint="args is what forward takes, as in optimize(module, (x,))",
            )
        self.example: list[torch.Tensor] = [leaves[at] for at in self.places]
        paths = [path for path, _ in pytree.tree_flatten_with_path(self.arguments)[0]]
        named = [_words(path) for path in paths]
        self.fixed = {
            at: (named[at], leaf) for at, leaf in enumerate(leaves) if at not in set(self.places)
        }
        """Position, name and value of each leaf that is no tensor."""
        own: list[Any] = []
        _collect((self.args, self.kwargs), (self.args, self.kwargs), own)
        self._is_plain = len(own) == len(leaves) and all(map(operator.is_, own, leaves))
        """Whether all nesting is by tuples, lists and dicts, which is looked through faster."""
        self._is_flat = len(leaves) == len(self.args) + len(self.kwargs) == len(self.places)

    @property
    def fixed_words(self) -> list[str]:
        """The fixed values, as `name=value`."""
        return [f"{name}={value!r:.60}" for name, value in self.fixed.values()]

    def tensors(self, args: Sequence[Any], kwargs: Mapping[str, Any]) -> list[Any] | str:
        """Return the tensors of a call of this form, or why it has another."""
        if len(args) != len(self.args) or kwargs.keys() != self.kwargs.keys():
            arranged = self._arranged(args, kwargs)
            if arranged is None:
                return OTHER_ARGUMENTS
            args, kwargs = arranged
        if self._is_flat:  # what is no tensor here is outside every scope
            return [*args, *map(kwargs.__getitem__, self.kwargs)]
        leaves: list[Any] = []
        if not self._is_plain:
            named = {name: kwargs[name] for name in self.kwargs}
            leaves, spec = pytree.tree_flatten((tuple(args), named))
            if spec != self._spec:
                return OTHER_ARGUMENTS
        elif not _collect((self.args, self.kwargs), (tuple(args), kwargs), leaves):
            return OTHER_ARGUMENTS
        for at, (name, value) in self.fixed.items():
            if not is_same(leaves[at], value):
                return f"{name} is not {value!r:.80}"
        return [leaves[at] for at in self.places]

    def call(self, tensors: Sequence[torch.Tensor]) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """Return the arguments of a call of this form with other tensors."""
        rest = iter(tensors)
        count = len(self.places) + len(self.fixed)
        leaves = [self.fixed[at][1] if at in self.fixed else next(rest) for at in range(count)]
        args, kwargs = pytree.tree_unflatten(leaves, self._spec)
        return args, kwargs

    def copied(self) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """Return the arguments of the form's own call, with copies of the tensors."""
        return self.call([tensor.detach().clone() for tensor in self.example])

    def _arranged(
        self, args: Sequence[Any], kwargs: Mapping[str, Any]
    ) -> tuple[Sequence[Any], Mapping[str, Any]] | None:
        """Return a call with the same parameters bound as here; None if it gives others."""
        try:
            bound = self._signature.bind(*args, **kwargs)
        except TypeError:  # the original forward says what is wrong
            return None
        given = set(bound.arguments)
        bound.apply_defaults()
        for name in given - self.arguments.keys():
            if not is_same(bound.arguments[name], self._signature.parameters[name].default):
                return None
        known = {name: bound.arguments[name] for name in self.arguments}
        arranged = inspect.BoundArguments(self._signature, known)
        return arranged.args, arranged.kwargs


def _collect(pattern: Any, value: Any, leaves: list[Any]) -> bool:
    """Add the leaves of a value to a list, and return whether it is nested like the pattern."""
    kind = type(pattern)
    if kind is tuple or kind is list:
        return (
            type(value) is kind
            and len(value) == len(pattern)
            and all(_collect(one, two, leaves) for one, two in zip(pattern, value, strict=True))
        )
    if kind is dict:
        return (
            type(value) is dict
            and value.keys() == pattern.keys()
            and all(_collect(one, value[name], leaves) for name, one in pattern.items())
        )
    leaves.append(value)
    return True


def is_same(left: object, right: object) -> bool:
    """Return whether two values that are no tensors are one, or equal and of one type."""
    if left is right:
        return True
    if type(left) is not type(right) or not isinstance(left, PLAIN):
        return False
    return left == right or left != left and right != right


PLAIN = (bool, int, float, complex, str, bytes, torch.dtype, torch.device, torch.Size)


def _words(path: Sequence[Any]) -> str:
    """Return a path into the arguments as `name[0]`."""
    first, *rest = path
    return f"{first.key}{pytree.keystr(tuple(rest))}"
