"""What a user names as `package.module:attribute`: imported, and looked at before it is used."""

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
    """What is wanted."""

    name: str
    """In words, with its article."""
    method: str
    """Every one of its kind has this method."""

    @property
    def hint(self) -> str:
        """What to name instead."""
        return f"name a class or function that makes {self.name}: an object with {self.method}()"


def is_dotted(name: str) -> bool:
    """Whether a name has the form `package.module:attribute`."""
    return _PATH.fullmatch(name) is not None


def load(path: str) -> Any:
    """Return what a dotted path names. Raises UsageError where there is nothing of that name."""
    module, _, attribute = path.partition(":")
    try:
        return getattr(import_module(module), attribute)
    except (ImportError, SyntaxError) as error:
        missing = getattr(error, "name", None) or module  # what the named module imports, perhaps
        hint = moved_hint(missing) or "install it, or put the folder that holds it on PYTHONPATH"
        raise UsageError(f"cannot import {module}: {error}", hint) from error
    except AttributeError as error:
        hint = moved_hint(module) or "write package.module:attribute"
        raise UsageError(f"{module} has no {attribute!r}", hint) from error


def make(path: str, factory: object, arguments: Sequence[object], kind: Kind) -> Any:
    """Call what a user has named.

    Args:
        path: what it was named, for messages.

    Raises:
        UsageError: it cannot be called so, or what it makes is of another kind.
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
    """Whether it says of itself that it can be called so; some built-in functions say nothing."""
    try:
        inspect.signature(factory).bind(*arguments)
    except (TypeError, ValueError):
        return False
    return True
