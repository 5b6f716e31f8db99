"""The `cpp` backend: flags and headers in a source, and the precompiled header."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from kernelwright.backends import cpp
from kernelwright.backends.cpp import Cpp, extra_flags, precompiled_header, uses_torch_extension
from kernelwright.errors import InfrastructureError
from tests.verifier.kit import candidate


@pytest.mark.parametrize(
    ("source", "flags"),
    [
        ("load_inline('a', extra_cflags=['-O3', '-fopenmp'])", ("-O3", "-fopenmp")),
        ("load_inline('a', extra_cflags=None)", ()),
        ("load_inline('a', extra_cflags=FLAGS)", ()),
        ("load_inline('a')", ()),
        ("load_inline(", ()),
        ("'\0'", ()),
    ],
)
def test_flags_are_read_from_the_call(source: str, flags: tuple[str, ...]) -> None:
    assert extra_flags(source) == flags


def test_what_needs_the_header() -> None:
    assert uses_torch_extension("load_inline(name='x')")
    assert uses_torch_extension('SRC = "#include <torch/extension.h>"')
    assert not uses_torch_extension("import ctypes")


@pytest.fixture
def compiler(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Yield a quick stand-in for g++, which logs its arguments and writes a small file."""
    script = tmp_path / "bin" / "g++"
    script.parent.mkdir()
    script.write_text(
        f'#!/bin/sh\n[ "$1" = --version ] && exit\n'
        f'echo "$@" >> {tmp_path}/calls\nfor last; do :; done\necho > $last'
    )
    script.chmod(0o755)
    monkeypatch.setenv("CXX", str(script))
    cpp.compiler_version.cache_clear()
    yield script
    cpp.compiler_version.cache_clear()


def test_a_header_is_made_once_for_each_set_of_flags(compiler: Path, tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    source = candidate("load_inline('a', extra_cflags=['-O3'])", "cpp")
    environment = Cpp().environment(source, cache)
    assert environment == Cpp().environment(source, cache)
    folder = Path(environment["CPATH"])
    assert (folder / "torch" / "extension.h.gch").is_file()
    assert environment["CXX"] == str(compiler)
    calls = (tmp_path / "calls").read_text().splitlines()
    compiled = [call for call in calls if "c++-header" in call]
    assert len(compiled) == 1
    for flag in ("-std=c++20", "-fPIC", "-O3", "-DTORCH_API_INCLUDE_EXTENSION_H"):
        assert f" {flag} " in f" {compiled[0]} "
    assert precompiled_header(cache, ("-O2",)) != folder


def test_a_header_can_be_read_by_workers_whatever_the_umask(compiler: Path, tmp_path: Path) -> None:
    before = os.umask(0o077)
    try:
        folder = made(tmp_path / "cache")
    finally:
        os.umask(before)
    modes = {path.stat().st_mode & 0o777 for path in (folder, *folder.rglob("*"))}
    assert modes == {0o755, 0o644}


@pytest.fixture
def room_for_three(compiler: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Limit the headers, which have one byte each here, to three bytes."""
    monkeypatch.setattr(cpp, "MAX_HEADER_BYTES", 3)


def headers(cache: Path) -> set[Path]:
    return {header.parents[1] for header in cache.glob("pch/*/torch/extension.h.gch")}


def made(cache: Path, *flags: str) -> Path:
    folder = precompiled_header(cache, flags)
    assert folder is not None
    return folder


def test_headers_that_are_not_used_make_room(room_for_three: None, tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    folders = [made(cache, f"-O{level}") for level in range(3)]
    for age, folder in enumerate(folders):
        os.utime(folder / "lock", (age, age))
    assert made(cache, "-O0") == folders[0]
    newest = made(cache, "-O3")
    assert headers(cache) == {folders[0], folders[2], newest}


def test_headers_in_use_are_not_thrown_away_for_others(
    room_for_three: None, tmp_path: Path
) -> None:
    cache = tmp_path / "cache"
    folders = {made(cache, f"-O{level}") for level in range(3)}
    assert precompiled_header(cache, ("-O3",)) is None
    source = candidate("load_inline('a', extra_cflags=['-O3'])", "cpp")
    assert Cpp().environment(source, cache) == {}
    assert headers(cache) == folders


def test_what_an_earlier_version_has_left_is_brought_within_the_limit(
    room_for_three: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache = tmp_path / "cache"
    with monkeypatch.context() as earlier:
        earlier.setattr(cpp, "MAX_HEADER_BYTES", 9)
        for level in (1, 2, 3, "s", "g"):
            os.utime(made(cache, f"-O{level}") / "lock", (1, 1))
    made(cache, "-O1")
    assert len(headers(cache)) == 3


def test_a_header_that_does_not_compile_is_nobodys_fault(compiler: Path, tmp_path: Path) -> None:
    compiler.write_text("#!/bin/sh\necho 'fatal error: no torch' >&2\nexit 1")
    with pytest.raises(InfrastructureError, match="cannot precompile .*no torch"):
        precompiled_header(tmp_path / "cache", ())
    assert not list((tmp_path / "cache").rglob("*.gch"))


def test_a_header_that_takes_too_long_is_nobodys_fault(
    compiler: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    compiler.write_text('#!/bin/sh\n[ "$1" = --version ] || exec sleep 60')
    monkeypatch.setattr(cpp, "PCH_TIMEOUT_S", 0.2)
    with pytest.raises(InfrastructureError, match="took longer than 0.2 s"):
        precompiled_header(tmp_path / "cache", ())


def test_without_a_compiler_it_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    cpp.compiler_version.cache_clear()
    monkeypatch.setenv("CXX", "no-such-compiler")
    found = Cpp().availability()
    assert (found.ok, bool(found.hint)) == (False, True)
    assert "no-such-compiler" in found.reason
    assert cpp.compiler_version() == ""
    cpp.compiler_version.cache_clear()


def test_the_flags_are_those_that_torch_passes() -> None:
    """Check that torch passes our flags: gcc takes a precompiled header for the same flags only."""
    from torch.utils import cpp_extension

    text = Path(cpp_extension.__file__).read_text()
    assert "cflags = common_cflags + ['-fPIC', '-std=c++20'] + extra_cflags" in text
    assert set(cpp.TORCH_FLAGS) == {"-fPIC", "-std=c++20"}
    for define in cpp.TORCH_DEFINES:
        assert f"common_cflags.append('{define}')" in text
