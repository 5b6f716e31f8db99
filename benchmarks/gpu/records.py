"""A stand-in for pydantic on machines that have torch and Triton and nothing else.

It has the parts that the judge uses: records with defaults, made from keywords or nested
dictionaries, copied and dumped. It does not check types, so it is for benchmarks alone.
"""

from __future__ import annotations

import copy
import enum
import importlib.machinery
import json
import sys
import types
import typing
from collections.abc import Callable
from typing import Any


class ValidationError(ValueError):
    """A stand-in for pydantic.ValidationError, never raised here."""


class Default:
    """The default of a field, made by a factory."""

    def __init__(self, factory: Callable[[], Any]) -> None:
        self.factory = factory


def field(default: Any = None, default_factory: Callable[[], Any] | None = None, **_: Any) -> Any:
    """Stand in for pydantic.Field.

    A default of None counts as none: no record of ours gives it this way.
    """
    if default_factory is None and default is None:
        return None
    return Default(default_factory or (lambda: default))


def config(**settings: Any) -> dict[str, Any]:
    """Stand in for pydantic.ConfigDict."""
    return settings


def model_validator(mode: str) -> Callable[[Any], Any]:
    """Stand in for pydantic.model_validator; the validator is never called."""
    return lambda function: function


class BaseModel:
    """A frozen record."""

    model_config: dict[str, Any] = {}

    def __init__(self, **values: Any) -> None:
        for name, hint in self._fields().items():
            vars(self)[name] = shaped(values.pop(name), hint) if name in values else self._of(name)
        if values:
            raise ValueError(f"unknown fields {sorted(values)}")

    @classmethod
    def _fields(cls) -> dict[str, Any]:
        hints = typing.get_type_hints(cls)
        return {name: hint for name, hint in hints.items() if name != "model_config"}

    def _of(self, name: str) -> Any:
        default = getattr(type(self), name)
        return default.factory() if isinstance(default, Default) else default

    def __setattr__(self, name: str, value: Any) -> None:
        raise AttributeError("records are frozen")

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and vars(self) == vars(other)

    def __hash__(self) -> int:
        return hash((type(self), json.dumps(self.model_dump(), sort_keys=True, default=str)))

    @classmethod
    def model_validate(cls, values: dict[str, Any]) -> Any:
        """Return a record from a dictionary."""
        return cls(**values)

    def model_copy(self, update: dict[str, Any]) -> Any:
        """Return a copy with other values."""
        made = copy.copy(self)
        vars(made).update(update)
        return made

    def model_dump(
        self,
        mode: str = "python",
        exclude: typing.Collection[str] = (),
        exclude_defaults: bool = False,
    ) -> dict[str, Any]:
        """Return the record as JSON data; records inside it keep their defaults."""
        kept = {name: value for name, value in vars(self).items() if name not in exclude}
        if exclude_defaults:
            kept = {name: value for name, value in kept.items() if not self._is_default(name)}
        return {name: plain(value) for name, value in kept.items()}

    def _is_default(self, name: str) -> bool:
        return hasattr(type(self), name) and bool(vars(self)[name] == self._of(name))


def shaped(value: Any, hint: Any) -> Any:
    """Return a value with dictionaries as the records of a type hint, and lists as its tuples."""
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if isinstance(value, dict) and isinstance(hint, type) and issubclass(hint, BaseModel):
        return hint(**value)
    if origin is tuple and isinstance(value, (list, tuple)) and arguments[-1:] == (...,):
        return tuple(shaped(item, arguments[0]) for item in value)
    if origin is dict and isinstance(value, dict):
        return {key: shaped(item, arguments[1]) for key, item in value.items()}
    if origin in (typing.Union, types.UnionType):
        models = [a for a in arguments if isinstance(a, type) and issubclass(a, BaseModel)]
        return shaped(value, models[0]) if models else value
    return value


def plain(value: Any) -> Any:
    """Return a value as JSON data."""
    if isinstance(value, BaseModel):
        return value.model_dump()
    if isinstance(value, enum.Enum):
        return value.value
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    return [plain(item) for item in value] if isinstance(value, (list, tuple)) else value


class TypeAdapter:
    """A stand-in for pydantic.TypeAdapter."""

    def __init__(self, hint: Any) -> None:
        self.hint = hint

    def validate_python(self, value: Any) -> Any:
        """Return the value with dictionaries as the hint's records."""
        if typing.get_origin(self.hint) is list:
            return [shaped(item, typing.get_args(self.hint)[0]) for item in value]
        return shaped(value, self.hint)


def install() -> None:
    """Install this module's classes as `pydantic`, where that is not installed."""
    module: Any = types.ModuleType("pydantic")
    module.BaseModel, module.ConfigDict, module.Field = BaseModel, config, field
    module.TypeAdapter, module.ValidationError = TypeAdapter, ValidationError
    module.model_validator = model_validator
    module.__spec__ = importlib.machinery.ModuleSpec("pydantic", None)
    sys.modules["pydantic"] = module
