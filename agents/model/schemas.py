"""JSON schemas of typed answers, in the part of the language that all providers accept."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel

_KEPT = frozenset({"type", "items", "enum", "const", "anyOf", "description"})


def strict_schema(kind: type[BaseModel]) -> dict[str, Any]:
    """Return a schema without bounds and defaults, in which every field is asked for.

    Bounds are checked where the answer is read.
    """
    return _strict(kind.model_json_schema())


def _strict(node: dict[str, Any]) -> dict[str, Any]:
    if "$ref" in node:  # nothing may stand beside it
        return {"$ref": node["$ref"]}
    kept = {name: value for name, value in node.items() if name in _KEPT}
    for name in ("properties", "$defs"):
        if name in node:
            kept[name] = {key: _strict(value) for key, value in node[name].items()}
    if "items" in node:
        kept["items"] = _strict(node["items"])
    if "anyOf" in node:
        kept["anyOf"] = [_strict(choice) for choice in node["anyOf"]]
    if node.get("type") == "object":
        kept |= {"required": list(kept.get("properties", {})), "additionalProperties": False}
    return kept
