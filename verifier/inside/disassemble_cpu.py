"""The machine code that a candidate built: its digest, its arithmetic, the lines that it is from.

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
JUMP = re.compile(r"^\s*([0-9a-f]+):\s+j[a-z]+\s+([0-9a-f]+) <", re.MULTILINE)
PLACE = re.compile(r"^\s*([0-9a-f]+):\s")
FUNCTION = re.compile(r"^[0-9a-f]+ <(.+)>:$")
LINE = re.compile(r"^(\S.*):(\d+)(?: \(discriminator \d+\))?$")
MAX_FILE_BYTES = 20 * 2**20
MAX_LISTING = 100_000
# Reading the lines of a file takes longer.
MAX_ANNOTATED_BYTES = 4 * 2**20
MAX_TEXT = 160
SYSTEM = ("/usr/", "/opt/")
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
    """Count arithmetic instructions of innermost loops by width in bits, and `fused` ones.

    `scalar` are those that compute one number.
    """
    found: collections.Counter[str] = collections.Counter()
    for path in shared_objects(os.environ["TORCH_EXTENSIONS_DIR"], MAX_FILE_BYTES):
        for function in disassembled(path).split("\n\n"):
            found.update(counted("\n".join(innermost(function))))
    return dict(found)


def listing(_loaded: Mapping[str, Any], name: str) -> str:
    """Return the instructions of the functions with `name` in theirs, as objdump writes them."""
    found = []
    for path in shared_objects(os.environ["TORCH_EXTENSIONS_DIR"], MAX_FILE_BYTES):
        blocks = re.split(r"\n\n(?=<)", disassembled(path, "-C", "--no-addresses"))
        found += [block for block in blocks if name in block.partition(">:")[0]]
    return "\n\n".join(found)[:MAX_LISTING]


def annotated(_loaded: Mapping[str, Any], path: str, at: list[int]) -> list[dict[str, Any]]:
    """Return the instructions at some places of a shared object, with their source lines.

    What a header of the system was inlined from has the line that stands before it.
    """
    if os.path.getsize(path) > MAX_ANNOTATED_BYTES:
        return []
    wanted, found = set(at), []
    function, file, number = "", "", 0
    for line in disassembled(path, "-l", "-C").splitlines():
        if match := FUNCTION.match(line):
            function, file, number = match[1], "", 0
        elif match := PLACE.match(line):
            if int(match[1], 16) in wanted:
                text = " ".join(line[match.end() :].split())[:MAX_TEXT]
                place = {"function": function[:MAX_TEXT], "file": file[-MAX_TEXT:], "line": number}
                found.append({"at": int(match[1], 16), "text": text, **place})
        elif (match := LINE.match(line)) and not match[1].startswith(SYSTEM):
            file, number = match[1], int(match[2])
    return found


def disassembled(path: str, *options: str) -> str:
    """Return the instructions of a shared object as text."""
    command = ["objdump", "-d", "--no-show-raw-insn", *options, path]
    return subprocess.run(command, capture_output=True, text=True, errors="replace").stdout


def shared_objects(folder: str, max_bytes: float) -> Iterator[str]:
    """Yield the shared objects below a folder that are small enough."""
    for parent, _, names in os.walk(folder):
        for name in names:
            path = os.path.join(parent, name)
            if name.endswith(".so") and os.path.getsize(path) <= max_bytes:
                yield path


def innermost(function: str) -> Iterator[str]:
    """Yield the instructions of a function that lie in a loop without a loop inside.

    A loop is what lies between a jump backwards and its target.
    """
    lines = function.splitlines()
    placed = [(int(m[1], 16), line) for line in lines if (m := PLACE.match(line))]
    ends: dict[int, int] = {}
    for source, target in JUMP.findall(function):
        start, end = int(target, 16), int(source, 16)
        if placed[0][0] <= start <= end:
            ends[start] = max(end, ends.get(start, end))
    loops = [
        (start, end)
        for start, end in ends.items()
        if not any(start < other <= ends[other] <= end for other in ends)
    ]
    for at, line in placed:
        if any(start <= at <= end for start, end in loops):
            yield line


def counted(text: str) -> Iterator[str]:
    """Yield the kinds of every floating-point instruction in objdump's output."""
    for name, suffix, operands in INSTRUCTION.findall(text):
        if not ARITHMETIC.fullmatch(name):
            continue
        packed = suffix[0] == "p"
        yield next((str(b) for sign, b in WIDTHS if sign in operands and packed), "scalar")
        if "fm" in name or "fnm" in name:
            yield "fused"
