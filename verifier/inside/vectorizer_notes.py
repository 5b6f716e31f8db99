"""The compiler's notes on loops of a candidate that it could not vectorise.

The judge writes this file into a worker's folder; it needs the standard library.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

# "<stdin>:14:33: missed: not vectorized: complicated access pattern."
NOTE = re.compile(r"^<stdin>:(\d+):\d+: missed:\s+not vectorized: (.+?)\.?$", re.MULTILINE)
MAX_BYTES, MAX_NOTES, MAX_REASON = 2**20, 100, 160


def missed(_loaded: Mapping[str, Any], folder: str) -> list[tuple[int, str]]:
    """Return the line of each such loop and the reason, from the notes in a folder of the build's.

    None if more than one file was compiled: a line would be one of either.
    """
    where = Path(os.environ["TORCH_EXTENSIONS_DIR"]) / folder
    found = []
    for path in sorted(where.glob("*.missed")):
        with path.open(errors="replace") as file:
            found.append(NOTE.findall(file.read(MAX_BYTES)))
    notes = found[0] if len(found) == 1 else []
    return [(int(line), reason[:MAX_REASON]) for line, reason in dict.fromkeys(notes)][:MAX_NOTES]
