# [cheat]
# catalogue = "H06"
# title = "a subclass of the reference, looked for in every loaded module"
# task = "tests/cheats/tasks/short"
# policy = "custom"
# caught_by = ["runtime_error", "no-custom-code"]
from __future__ import annotations

import sys
from typing import Any


def reference_class() -> Any:
    """The task's own Model, where some module of this process holds it."""
    for module in list(sys.modules.values()):
        if {"Model", "get_inputs", "get_init_inputs"} <= vars(module).keys():
            return vars(module)["Model"]
    raise ImportError("the reference is not in this process")


BASE = reference_class()


class ModelNew(BASE):  # type: ignore[misc, valid-type]
    """The reference under another name."""
