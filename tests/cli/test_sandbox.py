"""`kernelwright sandbox`: limits that hold, and reasons for sandboxes that are missing."""

from __future__ import annotations

import json

from kernelwright.sandbox.probes import PROBES
from tests.cli.kit import Shell

NO_ENGINE = {"DOCKER_HOST": "unix:///nowhere/docker.sock"}


def test_check_tries_every_way_out_and_says_which_are_claimed(shell: Shell) -> None:
    done = shell.run("sandbox", "check", "process", "--json")
    assert done.code == 0, done.err
    (document,) = json.loads(done.out)
    assert document["sandbox"] == "process" and document["available"] is True
    assert [limit["probe"] for limit in document["limits"]] == [probe.name for probe in PROBES]
    claimed = {limit["probe"] for limit in document["limits"] if limit["claimed"]}
    assert claimed == {"core dumps"}
    assert all(limit["is_held"] for limit in document["limits"] if limit["claimed"])
    assert shell.left_processes() == [] and shell.left_files() == []


def test_a_sandbox_that_is_not_there_has_a_reason(shell: Shell) -> None:
    done = shell.run("sandbox", "check", "docker", **NO_ENGINE)
    assert done.code == 3
    assert "docker: not here: " in done.out


def test_an_unknown_sandbox(shell: Shell) -> None:
    done = shell.run("sandbox", "check", "dokcer")
    assert done.code == 2
    assert "unknown sandbox 'dokcer'" in done.err and "docker" in done.err


def test_building_needs_an_engine(shell: Shell) -> None:
    done = shell.run("sandbox", "build", **NO_ENGINE)
    assert done.code == 3
    assert "no Docker engine answers" in done.err and "bwrap" in done.err


def test_doctor_names_every_sandbox(shell: Shell) -> None:
    done = shell.run("doctor", "--json", **NO_ENGINE)
    checks = {check["name"]: check for check in json.loads(done.out)}
    assert checks["sandbox docker"]["ok"] is False and not checks["sandbox docker"]["needed"]
    assert "no Docker engine answers" in checks["sandbox docker"]["text"]
    assert checks["sandbox process"]["ok"] is True
