"""Declared tunables: read where they are beyond doubt, and put in their place exactly."""

from __future__ import annotations

import pytest

from kernelwright.agents.tunables import (
    MOST_POINTS,
    MOST_TUNABLES,
    declared,
    family,
    point_of,
    tunables,
    with_numbers,
)

MACRO = "// tune: TILE 8 16 32\n#define TILE 16\n"
PYTHON = "# tune: BLOCK 64 128\nBLOCK = 128\n"


def native(text: str) -> str:
    """Return a file with C++ in a string."""
    return f"import torch\n\nSOURCE = r'''\n{text}'''\n\n\nclass ModelNew: ...\n"


@pytest.mark.parametrize(
    ("text", "point"),
    [
        (MACRO, [("TILE", 16)]),
        ("// tune: TILE 8 16\n#define  TILE\t16  // rows\n", [("TILE", 16)]),
        ("// tune: TILE 8 16\n#define TILE 16 /* rows */\n", [("TILE", 16)]),
        ("// tune: TILE 8 16\nconstexpr int TILE = 16;\n", [("TILE", 16)]),
        ("// tune: T 8 16\nstatic constexpr std::int64_t T=8;  // rows\n", [("T", 8)]),
        ("// tune: T 8 16\nconstexpr unsigned long T = 8;\n", [("T", 8)]),
        ("// tune: SHARE 0.25 0.5\nconstexpr float SHARE = 0.5;\n", [("SHARE", 0.5)]),
        ("#ifndef TILE  // rows\n// tune: TILE 8 16\n#define TILE 16\n#endif\n", [("TILE", 16)]),
        (MACRO + "#ifndef TILE\n#define TILE 4\n#endif\n", [("TILE", 16)]),
        (MACRO + "// tune: U 1 2\n#define U 1\n", [("TILE", 16), ("U", 1)]),
        (MACRO + "#define TILES 3\nconstexpr bool WIDE = TILE == 16;\n", [("TILE", 16)]),
    ],
)
def test_what_a_file_declares(text: str, point: list[tuple[str, float]]) -> None:
    assert list(point_of(native(text))) == point


@pytest.mark.parametrize(
    "text",
    [
        PYTHON,
        "# tune: BLOCK 64 128\nBLOCK: tl.constexpr = 128  # elements\n",
        PYTHON + "kernel[grid](\n    x,\n    BLOCK=BLOCK,\n)\n",
        PYTHON + "if BLOCK == 3:\n    pass\nBLOCKS = 3\n",
    ],
)
def test_what_python_declares(text: str) -> None:
    assert point_of(text) == (("BLOCK", 128),)


@pytest.mark.parametrize(
    "text",
    [
        "#define TILE 16\n",
        "// tune: TILE 8 16\n\n#define TILE 16\n",
        "// tune: TILE 8 16\n#define TILES 16\n",
        "// tune: TILE 8 32\n#define TILE 16\n",
        "// tune: TILE 16\n#define TILE 16\n",
        "// tune: TILE 16 16\n#define TILE 16\n",
        "// tune: TILE 8, 16\n#define TILE 16\n",
        "// tune: TILE = 8 16\n#define TILE 16\n",
        "// tune: TILE 8 16 x\n#define TILE 16\n",
        "// tune: TILE 8 16\n#define TILE (16)\n",
        "// tune: TILE 8 16\n#define TILE 16 * 2\n",
        "// tune: TILE 8 16\n  #define TILE 16\n",
        "// tune: TILE 8 16\n#define TILE(x) 16\n",
        "// tune: TILE 8 16\nint TILE = 16;\n",
        "// tune: TILE 8 16\nconstexpr int TILE = 16, OTHER = 3;\n",
        "// tune: TILE 010 16\n#define TILE 16\n",
        "// tune: TILE 0x10 16\n#define TILE 16\n",
        "// tune: SHARE 0.50 0.25\n#define SHARE 0.25\n",
        "  // tune: TILE 8 16\n#define TILE 16\n",
        "// Tune: TILE 8 16\n#define TILE 16\n",
        "// tune: TILE 8 16\n",
        "// tune: later\n" + MACRO,
        MACRO + MACRO,
        MACRO + "#define TILE 32\n",
        MACRO + "  #  define TILE x\n",
        MACRO + "static constexpr int TILE = 3;\n",
        MACRO + "constexpr int TILE{3};\n",
        "#define TILE 8\n#ifndef TILE\n// tune: TILE 8 16\n#define TILE 16\n#endif\n",
        f"// tune: TILE 16 {'9' * 19}\n#define TILE 16\n",
    ],
)
def test_what_is_in_doubt_is_not_tuned(text: str) -> None:
    assert tunables(native(text)) == ()


@pytest.mark.parametrize(
    "text",
    [
        PYTHON + "BLOCK = 64\n",
        PYTHON + "BLOCK += 64\n",
        PYTHON + "BLOCK: int = size()\n",
        "# tune: BLOCK 64 128\nBLOCK = SIZE = 128\n",
        "# tune: BLOCK 64 128\nBLOCK = 2 * 64\n",
        "def f():\n    # tune: BLOCK 64 128\n    BLOCK = 128\n",
        "// tune: BLOCK 64 128\nBLOCK = 128\n",
    ],
)
def test_what_is_in_doubt_in_python_is_not_tuned(text: str) -> None:
    assert tunables(text) == ()


def test_there_may_be_so_many_and_no_more() -> None:
    lines = [f"// tune: T{i} 1 2\n#define T{i} 1\n" for i in range(MOST_TUNABLES + 1)]
    assert len(tunables("".join(lines[:-1]))) == MOST_TUNABLES
    assert tunables("".join(lines)) == ()
    values = " ".join(map(str, range(1, MOST_POINTS + 1)))
    assert len(tunables(f"// tune: T {values}\n#define T 1\n")) == 1
    assert tunables(f"// tune: T {values} 999\n#define T 1\n") == ()


def test_numbers_are_put_where_they_belong_and_nowhere_else() -> None:
    source = native(MACRO + "// 16 rows\nfloat sums[TILE];\n") + PYTHON
    other = with_numbers(source, (("BLOCK", 64), ("TILE", 32)))
    assert other == source.replace("TILE 16\n", "TILE 32\n").replace("BLOCK = 128", "BLOCK = 64")
    assert point_of(other) == (("TILE", 32), ("BLOCK", 64))
    assert family(other) == family(source) != family(source.replace("sums", "totals"))
    assert with_numbers(other, point_of(source)) == source


def test_decimals_are_found_again() -> None:
    source = native("// tune: SHARE 0.25 0.5 1.0\nconstexpr double SHARE = 0.5;\n")
    assert "SHARE = 1.0;" in with_numbers(source, (("SHARE", 1.0),))


def test_a_declaration_is_written_where_it_is_sound() -> None:
    plain = native("#define TILE 16\n#ifndef TILE\n#define TILE 4\n#endif\n")
    assert tunables(declared(plain, "TILE", (16, 8)))[0].values == (8, 16)
    assert declared(plain, "TILE", (8, 4)) == declared(plain, "OTHER", (8, 16)) == plain
    assert declared(native(MACRO), "TILE", (8, 16)) == native(MACRO)
    assert point_of(declared("BLOCK = 128\n", "BLOCK", (128, 64))) == (("BLOCK", 128),)
