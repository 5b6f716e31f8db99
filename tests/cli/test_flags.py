"""Tests that flags say what the settings are, and become them."""

from __future__ import annotations

import pytest

from kernelwright.cli.flags import FLAGS
from kernelwright.config import Settings, load_settings
from tests.cli.kit import Shell


@pytest.mark.parametrize("name", FLAGS)
def test_a_flag_shows_its_settings_default(name: str) -> None:
    flag = FLAGS[name]
    if flag.default:
        shown = load_settings({name: flag.default}, env={}).settings
        assert getattr(shown, name) == getattr(Settings(), name)


def test_a_commands_flags_are_the_settings_that_it_takes(shell: Shell) -> None:
    text = shell.run("verify", "--help").out
    assert "--uses" in text and "--search" not in text


def test_a_flag_wins_and_is_checked_as_a_setting(shell: Shell) -> None:
    ran = shell.run("optimize", "softmax", "--time-limit", "soon")
    assert ran.code == 2
    assert "time_limit_s = 'soon' (from flag) is not valid" in ran.err
