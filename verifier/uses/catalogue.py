"""All uses in the order in which they are tried, which is that of their importance."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, NamedTuple

from kernelwright.schema import Level


class Use(NamedTuple):
    """One way in which people use a module."""

    name: str
    words: str
    level: Literal["standard", "strict"] = "standard"
    """The level from which it is tried."""
    is_lossy: bool = False
    """It is computed in a lower precision, where only gross errors say something."""
    is_racy: bool = False
    """Random numbers, or buffers that calls change, make its results a matter of luck."""
    timeout_s: float = 30.0
    """A use that takes longer hangs: inputs are small."""


ALL = (
    Use("weights-loaded-later", "load_state_dict after the first call"),
    Use("weights-changed-in-place", "parameters changed in place after the first call"),
    Use("one-tensor-changed", "one parameter or buffer after another changed in place"),
    Use("two-instances", "two instances with different weights, called in turn"),
    Use("instances-in-turn", "new instances with other weights, where the last ones were"),
    Use("input-changed-in-place", "an earlier input with a few elements changed in its memory"),
    Use("other-numbers", "other numbers, flags and texts as arguments of forward"),
    Use("arguments-left-out", "arguments of forward left out"),
    Use("arguments-none", "None as an argument of forward"),
    Use("keyword-arguments", "arguments given by name"),
    Use("broadcast-operands", "operands that broadcast, or whose sizes don't fit"),
    Use("other-batch-sizes", "1, 3 and other numbers of rows"),
    Use("other-widths", "other sizes of the other dimensions"),
    Use("train", "train()"),
    Use("eval", "eval()"),
    Use("weights-replaced", "new parameters in the place of the old ones"),
    Use("buffers-changed", "buffers changed in place"),
    Use("plain-call", "a call with gradients enabled"),
    Use("inference-mode", "calls in inference mode"),
    Use("strided-inputs", "inputs that are every second element of others"),
    Use("transposed-inputs", "transposed inputs"),
    Use("channels-last-inputs", "inputs in channels_last"),
    Use("offset-inputs", "inputs that begin at an odd element"),
    Use("negative-indices", "integers that count from the end"),
    Use("other-masks", "masks with other elements"),
    Use("requires-grad", "inputs that require gradients, and backward"),
    Use("arguments-given", "optional arguments of forward given"),
    Use("other-dtypes", "inputs of another type", is_lossy=True),
    Use("half", "half()", is_lossy=True),
    Use("bfloat16", "bfloat16()", is_lossy=True),
    Use("autocast", "autocast to bfloat16", is_lossy=True),
    Use("empty-batch", "no rows"),
    Use("deepcopy", "a deep copy with other weights"),
    Use("functional-call", "torch.func.functional_call with other weights"),
    Use("parametrizations", "a parametrized weight"),
    Use("replaced-submodule", "another submodule in the place of one"),
    Use("forward-hooks", "forward hooks on submodules"),
    Use("torch-save", "torch.save and torch.load"),
    Use("pickle", "pickle"),
    Use("four-threads", "four threads at once", is_racy=True),
    Use("thread-counts", "one thread, and four for each CPU"),
    Use("constructor-arguments", "other arguments of the constructor, one at a time", "strict"),
    Use("optimizer-step", "a fused optimizer's step after the first call", "strict"),
    Use("forked-worker", "a forked worker of a DataLoader", "strict", is_racy=True),
    Use("torch-compile", "torch.compile around it", "strict", timeout_s=180.0),
)
USES: Mapping[str, Use] = {use.name: use for use in ALL}
"""All uses by their names, in the same order."""


def uses_at(level: Level) -> list[Use]:
    """Return the uses that are tried at a level; at `fast` none."""
    known: Mapping[Level, tuple[Level, ...]] = {
        "fast": (),
        "standard": ("standard",),
        "strict": ("standard", "strict"),
    }
    return [use for use in ALL if use.level in known[level]]
