"""An SQL database: opening it, short transactions, and its errors in words.

SQLite runs in WAL mode, so that readers never wait for the writer. Every write is one
`BEGIN IMMEDIATE` transaction: it waits for other writers at its start and cannot fail halfway.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError

from kernelwright.errors import StoreError, UsageError
from kernelwright.store.migrations import CURRENT, migrate, version

BUSY_TIMEOUT_S = 30
WRITE = {"kernelwright_write": True}

_ELSEWHERE = "choose a path for the store in a folder that can be written"
_DISK = "free some disk space; what was stored before is intact"
_EXPLAINED: dict[str, tuple[str, str]] = {
    "SQLITE_NOTADB": ("is not a database", "move that file away, or choose another path"),
    "SQLITE_CORRUPT": ("is damaged", "restore a copy, or try `sqlite3 FILE .recover`"),
    "SQLITE_CANTOPEN": ("cannot be opened", _ELSEWHERE),
    "SQLITE_READONLY": ("cannot be written", _ELSEWHERE),
    "SQLITE_PERM": ("cannot be written", _ELSEWHERE),
    "SQLITE_FULL": ("cannot grow: the disk is full", _DISK),
    "SQLITE_IOERR": ("cannot be read or written", _DISK),
    "SQLITE_BUSY": (
        f"has been locked by another process for {BUSY_TIMEOUT_S} s",
        "stop the process that holds it, or choose another path",
    ),
    "SQLITE_CONSTRAINT": (
        "refused a row: its run or task is not stored, or it is there already",
        "add the run and the task first, each once",
    ),
}


class Database:
    """A database with up-to-date tables. Threads may share it; a forked process may not."""

    def __init__(self, location: str | Path) -> None:
        url = _parse(location)
        self.name = url.database or url.render_as_string(hide_password=True)
        self.sqlite_path = url.database if url.get_backend_name() == "sqlite" else None
        self._engine = _create(url)
        try:
            self._prepare()
        except StoreError:
            self.close()
            raise

    def close(self) -> None:
        """Close all connections."""
        self._engine.dispose()

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """Yield a connection with a consistent view of the database."""
        with self._explained(), self._engine.begin() as connection:
            yield connection

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """Yield a connection in one transaction: at its end all of it is stored, or nothing."""
        with self._explained(), self._engine.connect() as plain:
            connection = plain.execution_options(**WRITE)
            with connection.begin():
                yield connection

    def _prepare(self) -> None:
        with self.reading() as connection:
            found = version(connection)
        if found < CURRENT:
            with self.writing() as connection:
                migrate(connection)

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except (DBAPIError, sqlite3.Error) as error:
            raise in_words(self.name, error) from error


def require_file(location: str | Path) -> None:
    """Raise UsageError where the location is a SQLite file that does not exist."""
    url = _parse(location)
    is_file = url.get_backend_name() == "sqlite" and "uri" not in url.query
    if is_file and not Path(str(url.database)).exists():
        raise UsageError(
            f"there is no store {url.database}",
            hint="the first run makes it; --store names another",
        )


def _parse(location: str | Path) -> URL:
    text = str(location)
    if "://" not in text:
        return URL.create("sqlite", database=str(Path(text).expanduser().absolute()))
    try:
        url = make_url(text)
    except ArgumentError:
        raise UsageError(f"{text!r} is not a database URL", hint="sqlite:///FILE") from None
    if url.get_backend_name() == "sqlite" and url.database in (None, "", ":memory:"):
        raise UsageError("the store needs a file", hint="sqlite:///FILE")
    return url


def _create(url: URL) -> Engine:
    if url.get_backend_name() != "sqlite":
        return _create_server(url)
    if "uri" not in url.query:
        _make_folder(Path(str(url.database)).parent)
    engine = create_engine(url, connect_args={"timeout": BUSY_TIMEOUT_S})
    event.listen(engine, "connect", _configure)
    event.listen(engine, "begin", _begin)
    return engine


def _create_server(url: URL) -> Engine:
    try:
        return create_engine(url, pool_pre_ping=True)
    except NoSuchModuleError as error:
        raise UsageError(f"unknown database {url.drivername!r}", "sqlite:///FILE") from error
    except ModuleNotFoundError as error:
        raise StoreError(
            f"the database driver {error.name!r} is not installed", f"pip install {error.name}"
        ) from error


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StoreError(
            f"cannot make the folder {folder}: {error.strerror}", _ELSEWHERE
        ) from error


def _configure(connection: sqlite3.Connection, _record: object) -> None:
    connection.isolation_level = None
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("PRAGMA foreign_keys = ON")


def _begin(connection: Connection) -> None:
    writes = connection.get_execution_options().get("kernelwright_write", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def in_words(name: str, error: DBAPIError | sqlite3.Error) -> StoreError:
    """Return a database error as a StoreError with a hint."""
    cause = error.orig if isinstance(error, DBAPIError) else error
    code = getattr(cause, "sqlite_errorname", "")
    family = "_".join(code.split("_")[:2])
    if family in _EXPLAINED:
        what, hint = _EXPLAINED[family]
        return StoreError(f"the store {name} {what}", hint)
    first_line = str(cause).partition("\n")[0]
    return StoreError(f"the store {name} failed: {first_line}", "check that it can be reached")
