"""kernelwright: a PyTorch module goes in, a verified faster one comes out.

    import kernelwright

    found = kernelwright.optimize(module, (x,))   # a live module, and what its forward takes
    print(found)                                  # one sentence
    y = found.module(x)                           # the module, faster inside its proven scope

Importing this is cheap: what a name needs is imported when the name is used first.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from kernelwright.live.optimize import optimize
    from kernelwright.live.optimized import Optimized
    from kernelwright.live.stored import run, runs
    from kernelwright.live.verify import verify

__version__ = "0.1.0"
__all__ = ["Optimized", "optimize", "run", "runs", "verify"]

_PLACES = {
    "Optimized": "kernelwright.live.optimized",
    "optimize": "kernelwright.live.optimize",
    "run": "kernelwright.live.stored",
    "runs": "kernelwright.live.stored",
    "verify": "kernelwright.live.verify",
}


def __getattr__(name: str) -> Any:
    if name not in _PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_PLACES[name]), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *_PLACES])
