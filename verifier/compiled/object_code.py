"""What a candidate built: its machine code's digest, and its floating-point instructions.

The judge writes this file into a worker's folder; it needs the standard library and binutils.
"""

from __future__ import annotations

import collections
import hashlib
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
# Code and data, of the CPU and of GPUs; not what names the compiler or the folder.
SECTIONS = (".text", ".rodata*", ".data", ".nv_fatbin")


def digest(_loaded: Mapping[str, Any]) -> str | None:
    """SHA-256 (hex) of the code and data of what was built; None where nothing was."""
    found = sorted(map(_contents, shared_objects(os.environ["TORCH_EXTENSIONS_DIR"])))
    return hashlib.sha256(b"".join(found)).hexdigest() if found else None


def _contents(path: str) -> bytes:
    with tempfile.TemporaryDirectory() as scratch:
        target = os.path.join(scratch, "contents")
        chosen = [f"--only-section={section}" for section in SECTIONS]
        command = ["objcopy", "-O", "binary", *chosen, path, target]
        subprocess.run(command, capture_output=True, check=True)
        with open(target, "rb") as file:
            return hashlib.sha256(file.read()).digest()


def floating_point(_loaded: Mapping[str, Any]) -> dict[str, int]:
    """Arithmetic instructions by width in bits, `scalar` for one number, and `fused` among them."""
    found: collections.Counter[str] = collections.Counter()
    for path in shared_objects(os.environ["TORCH_EXTENSIONS_DIR"]):
        command = ["objdump", "-d", "--no-show-raw-insn", path]
        done = subprocess.run(command, capture_output=True, text=True, errors="replace")
        found.update(counted(done.stdout))
    return dict(found)


def shared_objects(folder: str) -> Iterator[str]:
    """Small enough ones below a folder."""
    for parent, _, names in os.walk(folder):
        for name in names:
            path = os.path.join(parent, name)
            if name.endswith(".so") and os.path.getsize(path) <= MAX_FILE_BYTES:
                yield path


def counted(text: str) -> Iterator[str]:
    """The kinds of every floating-point instruction in objdump's output."""
    for name, suffix, operands in INSTRUCTION.findall(text):
        if not ARITHMETIC.fullmatch(name):
            continue
        packed = suffix[0] == "p"
        yield next((str(b) for sign, b in WIDTHS if sign in operands and packed), "scalar")
        if "fm" in name or "fnm" in name:
            yield "fused"
