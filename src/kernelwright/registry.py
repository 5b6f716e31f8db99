"""The implementations of a seam by name: ours, installed ones, and those of a dotted path.

A seam has one `Registry`: a table of names, a group of entry points that other packages add to, and
`package.module:attribute` for what a user has beside the run. What a name makes is checked.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator, Mapping, Sequence
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from typing import Any, Generic, NamedTuple, TypeVar, cast

from kernelwright.errors import UsageError, did_you_mean
from kernelwright.moved import moved_hint

_PATH = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*")


class Kind(NamedTuple):
    """The kind of object that a seam wants."""

    name: str
    """Name in words, with its article."""
    method: str
    """Attribute that can be called, of every object of this kind."""

    @property
    def hint(self) -> str:
        """Hint that says which objects to name instead."""
        return f"name a class or function that makes {self.name}: an object with {self.method}()"


def is_dotted(name: str) -> bool:
    """Whether a name has the form `package.module:attribute`."""
    return _PATH.fullmatch(name) is not None


def load(path: str) -> Any:
    """Return the object at a dotted path. Raises UsageError where there is none."""
    module, _, attribute = path.partition(":")
    try:
        found = import_module(module)
    except (ImportError, SyntaxError) as error:
        missing = getattr(error, "name", None) or module  # what the named module imports, perhaps
        hint = moved_hint(module) or moved_hint(missing)
        hint = hint or "install it, or put the folder that holds it on PYTHONPATH"
        raise UsageError(f"cannot import {module}: {error}", hint) from error
    if not hasattr(found, attribute):
        hint = moved_hint(module) or "write package.module:attribute"
        raise UsageError(f"{module} has no {attribute!r}", hint)
    return getattr(found, attribute)


def make(path: str, factory: object, arguments: Sequence[object], kind: Kind) -> Any:
    """Call a factory that a user has named, and return the object it makes.

    Args:
        path: the name that the user gave, for messages.

    Raises:
        UsageError: the factory does not take these arguments, or makes another kind of object.
    """
    if not callable(factory):
        shown = type(factory).__name__
        raise UsageError(f"{path} is not {kind.name}, but of type {shown!r}", kind.hint)
    if isinstance(factory, type):
        _check(path, factory, kind)
    if not _takes(factory, arguments):
        how = "with a model's name" if arguments else "without arguments"
        raise UsageError(f"{path} cannot be called {how}", kind.hint)
    made = factory(*arguments)
    _check(f"what {path} returns", made, kind)
    return made


def _check(what: str, found: object, kind: Kind) -> None:
    if not callable(getattr(found, kind.method, None)):
        raise UsageError(f"{what} is not {kind.name}: it has no {kind.method}()", kind.hint)


def _takes(factory: Any, arguments: Sequence[object]) -> bool:
    """Whether the signature accepts the arguments; False where there is no signature to read."""
    try:
        inspect.signature(factory).bind(*arguments)
    except (TypeError, ValueError):
        return False
    return True


T = TypeVar("T")


class Registry(Generic[T]):
    """The implementations of one seam.

    Args:
        noun: an implementation in words, without an article.
        kind: the kind of object that they are.
        table: dotted paths of ours, by name.
        group: entry points of other packages that add to them.
    """

    def __init__(self, noun: str, kind: Kind, table: Mapping[str, str], group: str) -> None:
        self._noun = noun
        self._kind = kind
        self._table = table
        self.group = group

    def __iter__(self) -> Iterator[str]:
        """Yield the names that there are: ours in their order, then those of other packages."""
        return iter(dict.fromkeys((*self._table, *self._installed())))

    def find(self, name: str) -> Any:
        """Return the object that a name stands for, as it is: mostly a class or a function.

        Raises:
            UsageError: there is none of that name, or it can't be imported.
        """
        if name in self._table:
            return load(self._table[name])
        if is_dotted(name):
            return load(name)
        installed = self._installed()
        if name in installed:
            return load(installed[name].value)
        raise UsageError(f"unknown {self._noun} {name!r}", did_you_mean(name, list(self)))

    def get(self, name: str) -> T:
        """Return the object of a name, where the names stand for finished objects.

        Raises:
            UsageError: there is none, or it is of another kind.
        """
        found = self.find(name)
        _check(name, found, self._kind)
        return cast(T, found)

    def open(self, name: str, *arguments: object) -> T:
        """Make an implementation by calling what the name stands for.

        Raises:
            UsageError: there is none, it does not take these arguments, or makes something else.
        """
        return cast(T, make(name, self.find(name), arguments, self._kind))

    def _installed(self) -> dict[str, EntryPoint]:
        found = sorted(entry_points(group=self.group), key=lambda entry: entry.name)
        return {entry.name: entry for entry in found}
