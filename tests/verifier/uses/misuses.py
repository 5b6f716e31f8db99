"""Planted misuses: ways in which a candidate is right on the task's inputs and wrong elsewhere."""

from __future__ import annotations

import textwrap
from typing import NamedTuple

FORWARD = "y = self.drop(self.fc(x)) + self.shift"
ACT = 'y = torch.tanh(y) if self.act == "tanh" else torch.relu(y)'
RETURN = "return y if residual is None else y + residual"


class Misuse(NamedTuple):
    """One misuse of the ordinary module in `kit.py`."""

    name: str
    old: str
    """A line of its text."""
    new: str
    """Lines in the place of that one."""
    found_by: tuple[str, ...]
    """The uses meant for it."""

    @property
    def change(self) -> tuple[str, str]:
        """The replacement, indented as a line of forward."""
        lines = textwrap.dedent(self.new).strip()
        return self.old, textwrap.indent(lines, " " * 8).lstrip()


WRONG = (
    Misuse(
        "weights packed at the first call",
        FORWARD,
        """
        if not hasattr(self, "packed"):
            self.packed = self.fc.weight.t().contiguous().detach()
        y = x @ self.packed + self.fc.bias + self.shift
        """,
        ("weights-loaded-later", "weights-changed-in-place", "weights-replaced"),
    ),
    Misuse(
        "weights in the class",
        FORWARD,
        """
        kind = type(self)
        if getattr(kind, "weight", x).dtype != x.dtype or not hasattr(kind, "weight"):
            kind.weight = self.fc.weight.detach().clone()
        y = torch.nn.functional.linear(x, kind.weight, self.fc.bias) + self.shift
        """,
        ("two-instances",),
    ),
    Misuse(
        "a memo by five sampled elements",
        FORWARD,
        """
        flat = x.reshape(-1)
        places = [flat.numel() * k // 5 for k in range(5)] if flat.numel() else []
        key = (x.shape, *(float(flat[place]) for place in places))
        if getattr(self, "key", None) != key:
            self.key, self.known = key, self.fc(x)
        y = self.drop(self.known) + self.shift
        """,
        ("input-changed-in-place",),
    ),
    Misuse(
        "a constant in the place of an argument",
        "y = y * scale",
        "y = y * 0.5",
        ("other-numbers", "arguments-left-out"),
    ),
    Misuse(
        "an option of the constructor that is ignored",
        ACT,
        "y = torch.relu(y)",
        ("constructor-arguments",),
    ),
    Misuse(
        "a buffer computed in advance",
        FORWARD,
        "y = self.drop(self.fc(x)) + torch.linspace(0.0, 1.0, 16).to(x)",
        ("buffers-changed",),
    ),
    Misuse(
        "no comparison of two shapes",
        RETURN,
        """
        if residual is None or residual.numel() < y.numel():
            return y
        return y + residual.contiguous().as_strided(y.shape, y.stride())
        """,
        ("broadcast-operands",),
    ),
    Misuse(
        "another answer for one size",
        RETURN,
        """
        if x.shape[0] == 3:
            y = y * 1.5
        return y if residual is None else y + residual
        """,
        ("other-batch-sizes",),
    ),
    Misuse(
        "raw memory",
        FORWARD,
        """
        x = x.as_strided(x.shape, (x.shape[-1], 1))
        y = self.drop(self.fc(x)) + self.shift
        """,
        ("transposed-inputs", "strided-inputs"),
    ),
    Misuse(
        "one place for all threads",
        FORWARD,
        """
        import time
        self.x = x
        time.sleep(0.01)
        y = self.fc(self.x) + self.shift
        """,
        ("four-threads",),
    ),
    Misuse(
        "a submodule that is not called",
        FORWARD,
        "y = torch.nn.functional.linear(x, self.fc.weight, self.fc.bias) + self.shift",
        ("forward-hooks",),
    ),
    Misuse(
        "no comparison of a width",
        FORWARD,
        "y = x[..., :12] @ self.fc.weight[:, : x.shape[-1]].t() + self.fc.bias + self.shift",
        ("other-widths",),
    ),
    Misuse(
        "gradients of one parameter only",
        FORWARD,
        "y = torch.nn.functional.linear(x, self.fc.weight.detach(), self.fc.bias) + self.shift",
        ("requires-grad",),
    ),
    Misuse(
        "float32 within, whatever comes in",
        FORWARD,
        """
        y = torch.nn.functional.linear(x.float(), self.fc.weight.float(), self.fc.bias.float())
        y = y + self.shift.float()
        """,
        ("half", "bfloat16"),
    ),
)
