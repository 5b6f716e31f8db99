"""One timed job at a time on a device, across processes."""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from kernelwright.errors import InfrastructureError
from kernelwright.sandbox import leases
from kernelwright.sandbox.leases import is_locked, lease, try_lock


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setattr(leases, "FOLDER", tmp_path / "leases")
    yield tmp_path / "leases"


HOLDER = """
import sys
from pathlib import Path
from kernelwright.sandbox import leases
leases.FOLDER = Path(sys.argv[1])
with leases.lease(sys.argv[2:]):
    print("held", flush=True)
    sys.stdin.read()
"""


def holder(folder: Path, *devices: str) -> subprocess.Popen[str]:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(folder), *devices],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment,
    )  # fmt: skip
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    return process


def test_another_process_waits_for_the_same_device_only(folder: Path) -> None:
    other = holder(folder, "cpu0", "cpu1")
    with lease(["cpu2"], wait_s=0):
        pass
    with pytest.raises(InfrastructureError, match="on cpu1"), lease(["cpu1", "cpu2"], wait_s=0):
        raise AssertionError("two have it")
    with lease(["cpu2"], wait_s=0):  # given back when the other one could not be had
        pass
    other.communicate("")
    with lease(["cpu0", "cpu1"], wait_s=0):
        pass


def test_the_dead_hold_nothing(folder: Path) -> None:
    other = holder(folder, "cpu0")
    other.kill()
    other.wait()
    with lease(["cpu0"], wait_s=5):
        pass


def test_threads_take_turns_whatever_their_order(folder: Path) -> None:
    inside, most = 0, 0

    def work(names: list[str]) -> None:
        nonlocal inside, most
        for _ in range(20):
            with lease(names):
                inside += 1
                most = max(most, inside)
                inside -= 1

    threads = [threading.Thread(target=work, args=(names,)) for names in (["a", "b"], ["b", "a"])]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert not any(thread.is_alive() for thread in threads)
    assert most == 1


def test_a_folder_that_cannot_be_made_is_nobodys_fault(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setattr(leases, "FOLDER", tmp_path / "file" / "leases")
    with pytest.raises(InfrastructureError, match="cannot lease cpu0"), lease(["cpu0"]):
        raise AssertionError("leased")


def test_who_is_in_a_hurry_goes_on_without(folder: Path) -> None:
    other, hurry = holder(folder, "cpu0"), threading.Event()
    entered = threading.Event()

    def enter() -> None:
        with lease(["cpu0", "cpu1"], hurry=hurry):
            entered.set()

    waiting = threading.Thread(target=enter)
    waiting.start()
    assert not entered.wait(0.2)
    hurry.set()
    assert entered.wait(10)
    waiting.join()
    other.communicate("")


def test_one_process_at_a_time_is_alone(folder: Path) -> None:
    assert not is_locked("run-1")
    with try_lock("run-1") as first:
        assert first and is_locked("run-1") and not is_locked("run-2")
        with try_lock("run-1") as second, try_lock("run-2") as other:
            assert (second, other) == (False, True)
    with try_lock("run-1") as again:
        assert again
    assert list(folder.iterdir()) == [] and not is_locked("run-1")


def test_a_look_at_a_lock_keeps_its_owner_waiting_and_not_out(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder.mkdir()
    looked = os.open(folder / "run-1", os.O_CREAT | os.O_RDWR)
    fcntl.flock(looked, fcntl.LOCK_SH)  # as `is_locked` does for a moment
    monkeypatch.setattr("time.sleep", lambda _s: os.close(looked))
    with try_lock("run-1") as has_lock:
        assert has_lock
