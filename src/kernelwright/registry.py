"""Import an object that a user names as `package.module:attribute`, and check it before use."""

from __future__ import annotations

import inspect
import re
from collections.abc import Sequence
from importlib import import_module
from typing import Any, NamedTuple

from kernelwright.errors import UsageError
from kernelwright.moved import moved_hint

_PATH = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*")


class Kind(NamedTuple):
    """The kind of object that is wanted."""

    name: str
    """Name in words, with its article."""
    method: str
    """Method that every object of this kind has."""

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
        return getattr(import_module(module), attribute)
    except (ImportError, SyntaxError) as error:
        missing = getattr(error, "name", None) or module  # what the named module imports, perhaps
        hint = moved_hint(module) or moved_hint(missing)
        hint = hint or "install it, or put the folder that holds it on PYTHONPATH"
        raise UsageError(f"cannot import {module}: {error}", hint) from error
    except AttributeError as error:
        hint = moved_hint(module) or "write package.module:attribute"
        raise UsageError(f"{module} has no {attribute!r}", hint) from error


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
