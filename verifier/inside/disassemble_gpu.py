"""Machine instructions of GPU kernels, by the disassembler that Triton brings.

The judge writes this file into a worker's folder; it needs triton only.
"""

from __future__ import annotations

import collections
import re
import subprocess
from collections.abc import Mapping, Sequence
from typing import Any

FUNCTION = re.compile(r"^\s*Function : (\S+)$", re.MULTILINE)
# /*0010*/  @!P0 LDG.E.128 R4, desc[UR4][R2.64] ;
INSTRUCTION = re.compile(r"^\s*/\*[0-9a-f]{4,}\*/\s+(?:@!?U?P\w+\s+)?([A-Z][\w.]*)", re.MULTILINE)
MAX_INSTRUCTIONS = 200


def disassemble(
    _loaded: Mapping[str, Any], cubins: Sequence[str]
) -> list[dict[str, dict[str, int]]]:
    """Return for each file, by function, how often each instruction stands in its text."""
    from triton import knobs

    found = []
    for path in cubins:
        command = [knobs.nvidia.cuobjdump.path, "--dump-sass", path]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
        found.append(functions(done.stdout))
    return found


def functions(text: str) -> dict[str, dict[str, int]]:
    """Count instructions by function in cuobjdump's output."""
    _, *parts = FUNCTION.split(text)
    return {name: counted(body) for name, body in zip(parts[::2], parts[1::2], strict=True)}


def counted(body: str) -> dict[str, int]:
    """Count the most frequent instructions of a function."""
    return dict(collections.Counter(INSTRUCTION.findall(body)).most_common(MAX_INSTRUCTIONS))
