"""A proven file in ordinary interpreters, in the sandboxes that hold against malice."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from kernelwright.sandbox.machine import Machine
from tests.reproduce.test_ordinary import (
    test_a_wrong_file_is_named_and_not_timed,
    test_five_fresh_interpreters_give_a_ratio_each,
)
from tests.sandbox.kit import opened

__all__ = [
    "test_a_wrong_file_is_named_and_not_timed",
    "test_five_fresh_interpreters_give_a_ratio_each",
]


@pytest.fixture(scope="module", params=["docker", "bwrap"])
def machine(request: pytest.FixtureRequest) -> Iterator[Machine]:
    """Yield a machine with each sandbox."""
    with opened(request.param) as sandbox:
        yield Machine(sandbox, 1, "cpu")
