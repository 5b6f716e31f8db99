"""Faults of the database, with real files, processes and kills."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from kernelwright.errors import StoreError, UsageError
from kernelwright.store.migrations import CURRENT
from kernelwright.store.store import Store, open_store
from tests.store import samples

ROOT = Path(__file__).parents[2]
ENVIRONMENT = {**os.environ, "PYTHONPATH": f"{ROOT / 'src'}{os.pathsep}{ROOT}"}


def prepared(path: Path) -> Store:
    """Return a store with one run and one task."""
    store = open_store(path)
    store.add_run(samples.run())
    store.add_task(samples.RUN_ID, samples.task())
    return store


def start(path: Path, first: int, count: int, before: str = "") -> subprocess.Popen[str]:
    """Start a writer process; `before` is Python code that it runs first."""
    call = f"from tests.store.writer import main; main({str(path)!r}, {first}, {count})"
    return subprocess.Popen(
        [sys.executable, "-c", f"{before}\n{call}"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=ENVIRONMENT,
    )


def indices(store: Store) -> list[int]:
    return [attempt.index for attempt in store.attempts_of(samples.RUN_ID)]


def test_two_processes_write_one_database(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    with prepared(path) as store:
        processes = [start(path, first, 50) for first in (0, 50)]
        for process in processes:
            _, errors = process.communicate(timeout=60)
            assert process.returncode == 0, errors
        assert indices(store) == list(range(100))
        assert [event.number for event in store.events_of(samples.RUN_ID)] == list(range(100))
        steps = store.tool_steps_of(samples.RUN_ID, samples.task().id)
        assert steps == {index: [samples.tool_step()] for index in range(100)}


def test_two_processes_open_a_new_database_at_once(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    script = (
        "import sys; from kernelwright.store.store import open_store\n"
        "print('ready', flush=True); sys.stdin.readline(); open_store(sys.argv[1])"
    )
    openers = [
        subprocess.Popen(
            [sys.executable, "-c", script, str(path)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=ENVIRONMENT,
        )
        for _ in range(3)
    ]
    for opener in openers:
        assert opener.stdout is not None
        assert opener.stdout.readline() == "ready\n"
    for opener in openers:
        assert opener.stdin is not None
        opener.stdin.write("go\n")
        opener.stdin.flush()
    for opener in openers:
        _, errors = opener.communicate(timeout=60)
        assert opener.returncode == 0, errors
    with open_store(path) as store:
        assert store.list_runs() == []


def test_a_killed_writer_leaves_whole_attempts(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    prepared(path).close()
    process = start(path, 0, 0)
    assert process.stdout is not None
    said = [int(process.stdout.readline()) for _ in range(15)]
    process.send_signal(signal.SIGKILL)
    process.communicate(timeout=60)
    with open_store(path) as store:
        stored = indices(store)
        assert stored[: len(said)] == said
        assert stored == list(range(len(stored)))
        steps = store.tool_steps_of(samples.RUN_ID, samples.task().id)
        assert list(steps)[: len(stored)] == stored  # each was there before its attempt
        store.add_attempt(samples.attempt(len(stored)))


def test_a_full_disk_keeps_what_was_stored(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    prepared(path).close()
    limit = (
        "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (400_000, 400_000))\n"
        "import sys, traceback\n"
        "sys.excepthook = lambda kind, error, _: print(kind.__name__, error.hint, file=sys.stderr)"
    )
    output, errors = start(path, 0, 0, before=limit).communicate(timeout=60)
    assert errors.startswith("StoreError free some disk space")
    said = [int(line) for line in output.split()]
    with open_store(path) as store:
        assert indices(store)[: len(said)] == said


def test_a_full_database_says_so(tmp_path: Path) -> None:
    with prepared(tmp_path / "store.db") as store:
        from sqlalchemy import event

        engine = store._database._engine
        engine.dispose()
        event.listen(engine, "connect", lambda db, _: db.execute("PRAGMA max_page_count = 1"))
        with pytest.raises(StoreError, match="disk is full"):
            for index in range(100):
                store.add_attempt(samples.attempt(index))


def test_a_file_that_is_no_database_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("my notes\n" * 200)
    with pytest.raises(StoreError, match="not a database") as caught:
        open_store(path)
    assert caught.value.hint
    assert path.read_text() == "my notes\n" * 200
    assert list(tmp_path.iterdir()) == [path]


def test_a_damaged_database_is_named(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    with prepared(path) as store:
        for index in range(50):
            store.add_attempt(samples.attempt(index))
    content = path.read_bytes()
    path.write_bytes(content[:4096] + b"\xff" * (len(content) - 4096))
    with pytest.raises(StoreError, match="damaged") as caught, open_store(path) as damaged:
        damaged.attempts_of(samples.RUN_ID)
    assert "restore" in str(caught.value.hint)


def test_a_row_changed_by_hand_is_named(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    with prepared(path) as store:
        with sqlite3.connect(path) as connection:
            connection.execute("""UPDATE runs SET data = '{"id": 1}'""")
        with pytest.raises(StoreError, match="stored Run cannot be read"):
            store.get_run(samples.RUN_ID)


def test_a_newer_database_is_refused_and_kept(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    prepared(path).close()
    with sqlite3.connect(path) as connection:
        connection.execute("INSERT INTO schema_migrations VALUES (?, 'later', 0)", [CURRENT + 1])
    with pytest.raises(StoreError, match=f"version {CURRENT + 1}") as caught:
        open_store(path)
    assert "upgrade" in str(caught.value.hint)


def test_the_database_of_another_program_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "other.db"
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE photos (id)")
    with pytest.raises(StoreError, match="another program"):
        open_store(path)
    with sqlite3.connect(path) as connection:
        names = connection.execute("SELECT name FROM sqlite_master").fetchall()
    assert names == [("photos",)]


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for path in (tmp_path / "file" / "store.db", Path("/proc/kernelwright/store.db")):
        with pytest.raises(StoreError, match="folder") as caught:
            open_store(path)
        assert "can be written" in str(caught.value.hint)


def test_a_folder_in_place_of_the_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="cannot be opened"):
        open_store(tmp_path)


def test_a_read_only_database_is_named(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    prepared(path).close()
    with open_store(f"sqlite:///file:{path}?mode=ro&uri=true") as store:
        assert store.get_run(samples.RUN_ID) == samples.run()
        with pytest.raises(StoreError, match="cannot be written"):
            store.add_attempt(samples.attempt())


def test_urls_that_mean_nothing_are_usage_errors() -> None:
    for url in ("sqlite://", "sqlite:///:memory:", "nosuchdb://host/name", "://"):
        with pytest.raises(UsageError):
            open_store(url)


def test_a_writer_waits_for_another_and_readers_do_not(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    with prepared(path) as store:
        blocker = sqlite3.connect(path, isolation_level=None)
        blocker.execute("BEGIN IMMEDIATE")
        writing = threading.Thread(target=store.add_attempt, args=(samples.attempt(),))
        writing.start()
        writing.join(timeout=0.3)
        assert writing.is_alive() and indices(store) == []
        blocker.execute("COMMIT")
        writing.join(timeout=60)
        assert indices(store) == [0]


def test_the_package_itself_imports_no_sqlalchemy() -> None:
    script = "import sys, kernelwright.store; print('sqlalchemy' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, env=ENVIRONMENT, check=True
    )
    assert done.stdout == "False\n"
