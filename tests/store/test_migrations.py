from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import create_engine, inspect, text

from kernelwright.errors import PrerequisiteError, StoreError
from kernelwright.store import migrations, tables
from kernelwright.store.database import Database
from kernelwright.store.files import write_all_atomically, write_atomically
from kernelwright.store.migrations import CURRENT, MIGRATIONS


def test_migrations_make_the_tables_that_queries_use(tmp_path: Path) -> None:
    Database(tmp_path / "store.db").close()
    inspector = inspect(create_engine(f"sqlite:///{tmp_path / 'store.db'}"))
    assert set(inspector.get_table_names()) == set(tables.metadata.tables)
    for name, table in tables.metadata.tables.items():
        found = {column["name"]: str(column["type"]) for column in inspector.get_columns(name)}
        assert list(found) == [column.name for column in table.columns], name
        keys = inspector.get_pk_constraint(name)["constrained_columns"]
        assert keys == [column.name for column in table.primary_key], name


def test_each_migration_is_recorded_once(tmp_path: Path) -> None:
    for _ in range(2):
        Database(tmp_path / "store.db").close()
    with create_engine(f"sqlite:///{tmp_path / 'store.db'}").connect() as connection:
        found = connection.execute(text("SELECT number, name FROM schema_migrations")).all()
    assert [tuple(row) for row in found] == [
        (number, step.name) for number, step in enumerate(MIGRATIONS, start=1)
    ]
    assert len(found) == CURRENT


def test_a_migration_that_fails_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = migrations.Migration("broken", ("CREATE TABLE extra (id TEXT)", "CREATE nonsense"))
    monkeypatch.setattr(migrations, "MIGRATIONS", (*MIGRATIONS, broken))
    with pytest.raises(StoreError):
        Database(tmp_path / "store.db")
    assert inspect(create_engine(f"sqlite:///{tmp_path / 'store.db'}")).get_table_names() == []


def test_files_are_replaced_whole_or_not_at_all(tmp_path: Path) -> None:
    write_atomically(tmp_path / "new" / "a.txt", "one")
    (tmp_path / "new" / "b.txt").mkdir()
    with pytest.raises(PrerequisiteError, match="cannot write to"):
        write_all_atomically(tmp_path / "new", {"sub/b.txt": "two", "a.txt": "two"})
    assert (tmp_path / "new" / "a.txt").read_text() == "one"
    assert sorted(path.name for path in (tmp_path / "new").iterdir()) == ["a.txt", "b.txt"]


def test_a_folder_under_a_file_is_refused_with_a_hint(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(PrerequisiteError) as caught:
        write_atomically(tmp_path / "file" / "a.txt", "one")
    assert "can be written" in str(caught.value.hint)
