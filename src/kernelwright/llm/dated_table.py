"""Tables about models that providers publish: one file each, with the date of what it says."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from datetime import date
from importlib.resources import files
from typing import Generic, TypeVar

from kernelwright.schema import Record


class Entry(Record):
    """The part that every model's entry has."""

    aliases: tuple[str, ...] = ()
    """Other names of the same model, as dated ones."""


E = TypeVar("E", bound=Entry)


class Listed(Record, Generic[E]):
    """The models of one provider."""

    as_of: date
    source: str
    """Address of the page that published it."""
    models: dict[str, E]


def read_table(file: str, kind: type[Listed[E]]) -> dict[str, Listed[E]]:
    """Return the whole table of a file of this folder, by provider."""
    text = files("kernelwright.llm").joinpath(file).read_text(encoding="utf-8")
    return {name: kind.model_validate(data) for name, data in tomllib.loads(text).items()}


def by_name(table: Mapping[str, Listed[E]]) -> dict[str, E]:
    """Return the entries by `provider/name`, aliases too."""
    return {
        f"{provider}/{name}": entry
        for provider, listed in table.items()
        for main, entry in listed.models.items()
        for name in (main, *entry.aliases)
    }
