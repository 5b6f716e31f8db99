"""Changes of any value in a header."""

from __future__ import annotations

from typing import Any

from tests.fuzz.draft import DEEP, Draft, built, parsed

Place = tuple[Any, ...]
HOSTILE: list[Any] = [
    None, True, False, -1, 0, 1, 2, 3, 2**31, 2**47, 2**48 - 1, 2**48, 2**62, 2**63 - 1, 2**63,
    10**400, -(10**400), 0.5, 1.0, 1e308, float("nan"), float("inf"), float("-inf"), "", "0", "t",
    "float32", "\ud800", "a\0b", "x" * 5000, [], {}, [[]], [0], [1, 1], [2**47] * 3,
    [0, 2**47, 2**47], [0] * 40, {"t": 0}, {"t": -1}, {"v": float("nan")}, {"d": {}},
    {"dtype": "nn"}, DEEP,
]  # fmt: skip
DTYPES = [
    "float64", "float", "float16", "bfloat16", "int8", "uint8", "int64", "uint64", "bool",
    "complex64", "complex32", "qint8", "quint4x2", "bits8", "float8_e4m3fn", "float4_e2m1fn_x2",
    "uint3", "Tensor", "nn", "__name__", "float32 ",
]  # fmt: skip


def places(node: Any, above: Place = ()) -> list[Place]:
    """Return the place of everything in a nest."""
    found = [above] if above else []
    if isinstance(node, (dict, list)):
        for key, inner in node.items() if isinstance(node, dict) else enumerate(node):
            found += places(inner, (*above, key))
    return found


def anything(draft: Draft) -> None:
    """Change any one thing in any header."""
    at = draft.index()
    header, body = parsed(draft.frames[at])
    found = places(header)
    if not found:
        return
    place = draft.chance.choice(found)
    node: Any = header
    for key in place[:-1]:
        node = node[key]
    kind = draft.chance.choice((hostile, hostile, tweaked, dropped, doubled, retyped))
    kind(draft, node, place[-1])
    draft.how.append(f"{kind.__name__} {place} in frame {at}")
    draft.frames[at] = built(header, body)


def hostile(draft: Draft, node: Any, key: Any) -> None:
    """Put something else altogether."""
    node[key] = draft.chance.choice(HOSTILE)


def tweaked(draft: Draft, node: Any, key: Any) -> None:
    """Make a number a little wrong, or give it another type."""
    old = node[key]
    if isinstance(old, (int, float)) and abs(old) < 2**64:
        node[key] = draft.chance.choice((old + 1, old - 1, old * 2, -old, float(old), not old))


def dropped(draft: Draft, node: Any, key: Any) -> None:
    """Remove a value."""
    del node[key]


def doubled(draft: Draft, node: Any, key: Any) -> None:
    """Put a value twice into a list, or under a second name."""
    if isinstance(node, list):
        node.insert(key, node[key])
    else:
        node[draft.chance.choice(("more", "", "t", "\ud800"))] = node[key]


def retyped(draft: Draft, node: Any, key: Any) -> None:
    """Put the name of another type."""
    if isinstance(node[key], str):
        node[key] = draft.chance.choice(DTYPES)
