"""Settings as keyword arguments, under the names that they have everywhere."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kernelwright.config import Settings, load_settings
from kernelwright.errors import UsageError, did_you_mean


def settings_of(function: str, given: Mapping[str, Any]) -> Settings:
    """Return the settings with those that a call gives in front of files and variables.

    Args:
        function: the name of the called function.

    Raises:
        UsageError: there is no setting of a name, or a value is not valid.
    """
    known = list(Settings.model_fields)
    for name in given:
        if name not in known:
            raise UsageError(f"{function}() has no argument {name!r}", did_you_mean(name, known))
    return load_settings(given).settings
