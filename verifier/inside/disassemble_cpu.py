"""The digest and the floating-point instructions of the machine code that a candidate built.

The judge writes this file into a worker's folder; it needs the standard library and binutils.
"""

from __future__ import annotations

import collections
import hashlib
import math
import os
import re
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from typing import Any

# "  1139:	vfmadd231ps %ymm0,%ymm1,%ymm2": packed ends in ps or pd, one number in ss or sd.
INSTRUCTION = re.compile(r"^\s*[0-9a-f]+:\s+(v?[a-z][a-z0-9]*)(p[sd]|s[sd])\s+(.*)$", re.MULTILINE)
ARITHMETIC = re.compile(r"v?(f?n?m(add|sub)\w*|add|sub|mul|div|max|min|sqrt|rcp|rsqrt)")
WIDTHS = (("zmm", 512), ("ymm", 256), ("xmm", 128))
MAX_FILE_BYTES = 20 * 2**20
# Parts that are not loaded or identify a build: all that differs in builds of the same code.
STRIPPED = ("--strip-all", "--remove-section=.note*", "--remove-section=.comment")


def digest(_loaded: Mapping[str, Any]) -> str | None:
    """Return the SHA-256 (hex) of what was built, without names and notes; None unless one file."""
    found = list(shared_objects(os.environ["TORCH_EXTENSIONS_DIR"], math.inf))
    if len(found) != 1:
        return None
    with tempfile.TemporaryDirectory() as scratch:
        target = os.path.join(scratch, "stripped")
        command = ["objcopy", *STRIPPED, found[0], target]
        subprocess.run(command, capture_output=True, check=True)
        with open(target, "rb") as file:
            return hashlib.sha256(file.read()).hexdigest()


def floating_point(_loaded: Mapping[str, Any]) -> dict[str, int]:
    """Count arithmetic instructions by width in bits, `scalar` for one number, and `fused` ones."""
    found: collections.Counter[str] = collections.Counter()
    for path in shared_objects(os.environ["TORCH_EXTENSIONS_DIR"], MAX_FILE_BYTES):
        command = ["objdump", "-d", "--no-show-raw-insn", path]
        done = subprocess.run(command, capture_output=True, text=True, errors="replace")
        found.update(counted(done.stdout))
    return dict(found)


def shared_objects(folder: str, max_bytes: float) -> Iterator[str]:
    """Yield the shared objects below a folder that are small enough."""
    for parent, _, names in os.walk(folder):
        for name in names:
            path = os.path.join(parent, name)
            if name.endswith(".so") and os.path.getsize(path) <= max_bytes:
                yield path


def counted(text: str) -> Iterator[str]:
    """Yield the kinds of every floating-point instruction in objdump's output."""
    for name, suffix, operands in INSTRUCTION.findall(text):
        if not ARITHMETIC.fullmatch(name):
            continue
        packed = suffix[0] == "p"
        yield next((str(b) for sign, b in WIDTHS if sign in operands and packed), "scalar")
        if "fm" in name or "fnm" in name:
            yield "fused"
