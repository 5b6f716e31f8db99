"""Stability of stored identities: a field that is new in a version changes none of them."""

from __future__ import annotations

from typing import Any

import pytest

from kernelwright.config import Settings, identity
from kernelwright.schema import Limits, Task, Workload

HASH = "29e391fe3eec0e23c7d307b6d9b63e3990e28e8ea3acf99a85e6cb76f89e7945"
"""The hash of `TASK` in version c9a64af."""


class LaterWorkload(Workload):
    """A workload with one more field."""

    inputs: str = "own"


class LaterLimits(Limits):
    """Limits with one more field."""

    disk_bytes: int = 0


class LaterTask(Task):
    """A task with one more field, also in its parts."""

    objective: str = "time"
    workloads: tuple[LaterWorkload, ...] = (LaterWorkload(name="default"),)
    limits: LaterLimits = LaterLimits()


class LaterSettings(Settings):
    """Settings with one more setting."""

    later: str = "agent"


TASK = Task(id="suite/name", source="class Model: ...", overrides={"ROWS": (1, 2)})


def test_a_hash_of_the_first_version_stays() -> None:
    assert TASK.hash == HASH


@pytest.mark.parametrize(
    ("parts", "used"),
    [
        ({}, {"objective": "memory"}),
        ({"limits": {"call_timeout_s": 1.0}}, {"limits": {"call_timeout_s": 1.0, "disk_bytes": 1}}),
        (
            {"workloads": [{"name": "small", "overrides": {"inputs": 1}}, {"name": "large"}]},
            {"workloads": [{"name": "small", "overrides": {"inputs": 1}, "inputs": "zeros"}]},
        ),
    ],
    ids=["task", "limits", "workload"],
)
def test_a_new_field_is_in_a_hash_only_where_it_is_used(
    parts: dict[str, Any], used: dict[str, Any]
) -> None:
    plain = {**TASK.model_dump(exclude={"workloads", "limits"}), **parts}
    assert LaterTask(**plain).hash == Task(**plain).hash
    assert LaterTask(**{**plain, **used}).hash != Task(**plain).hash


def test_a_new_setting_is_in_a_name_only_where_it_is_used() -> None:
    assert identity(LaterSettings()) == identity(Settings())
    assert identity(LaterSettings(workflow="fixed")) != identity(Settings())
    assert identity(Settings(attempts=3)) == identity(Settings())
    assert identity(Settings(seed=1)) != identity(Settings())


def test_a_default_that_has_changed_names_the_run_that_the_first_one_named() -> None:
    assert identity(Settings())["coder_answers"] == "file"
    assert identity(Settings(coder_answers="edits")) == identity(Settings())
    assert identity(Settings(coder_answers="file")) != identity(Settings())
