"""The words that tell a note or a lesson from others."""

from __future__ import annotations

import re

WORD = re.compile(r"[a-z][a-z0-9]+")
# Words that every text may have.
COMMON = frozenset("the and for with from that this into where than each what over are".split())


def vocabulary(text: str) -> frozenset[str]:
    """Return a text's words in lower case, without a plural's s and without common ones."""
    found = (word.removesuffix("s") for word in WORD.findall(text.lower()))
    return frozenset(word for word in found if len(word) > 2) - COMMON
