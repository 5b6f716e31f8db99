"""The uses of a module, tried on the reference and on a file, in a process that may crash.

A part of `reproduce.py`. A child process does the uses and says on its standard output how each
ends; where one ends the child, the next child goes on behind it.
"""

from __future__ import annotations

import copy
import json
import math
import subprocess
import threading
from collections.abc import Iterator, Sequence
from typing import Any, Literal, NamedTuple

import torch

from kernelwright.verifier.inside.use_plans import plan
from kernelwright.verifier.inside.uses import CONSTRUCTOR_SEED, Subject, attempt, leaves
from kernelwright.verifier.tolerance import compare

SIGN = "@use "
"""Beginning of the lines that are the child's answers."""
# Uses computed in a lower precision, where only gross errors say something; those that random
# numbers make a matter of luck; seconds after which one hangs.
LOSSY = frozenset({"other-dtypes", "half", "bfloat16", "autocast"})
RACY = frozenset({"four-threads", "forked-worker"})
USE_LIMIT_S, SLOW_LIMIT_S = 30.0, 180.0
SLOW = frozenset({"torch-compile"})
GROSS = 0.1
"""Share of the root mean square from which an error is gross."""
FEW_INTEGERS = 0.002
"""Share of integers that may differ, as where two numbers nearly tie."""
FROM_WORST = ("crashes", "WRONG", "raises", "not tried", "falls back", "same")
FAULTS = frozenset({"crashes", "WRONG"})


class Use(NamedTuple):
    """The outcome of one use."""

    name: str
    outcome: str
    """One of `FROM_WORST`. `raises`: a clear error where the reference works."""
    detail: str


# -- the child ------------------------------------------------------------------------------------


def try_uses(
    reference: Any,
    optimized: Any,
    source: str,
    init: Sequence[Any],
    inputs: Sequence[Any],
    device: str,
    tolerance: Literal["default", "kernelbench"],
    start: int,
) -> None:
    """Try all uses from a number on, and print how each ends.

    Args:
        reference: its class; `source` is its text.
        optimized: the class that has to do the same.
    """
    torch.manual_seed(CONSTRUCTOR_SEED)
    state = copy.deepcopy(reference(*copy.deepcopy(list(init))).state_dict())
    subject = Subject(reference, init, state, inputs, device=device)
    found = plan(subject, source)
    small = {"device": device, "batch": found["batch"], "trims": found["trims"]}
    exact = Subject(reference, init, state, inputs, exact=True, **small)
    own = Subject(optimized, init, state, inputs, **small)
    is_luck = depends_on_luck(subject)
    for index, variant in enumerate(found["variants"]):
        if index >= start and not (variant["use"] in RACY and is_luck):
            try_variant(index, variant, subject, exact, own, tolerance)
    say(done=True)


def say(**facts: Any) -> None:
    """Print one answer."""
    print(f"\n{SIGN}{json.dumps(facts)}", flush=True)


def depends_on_luck(subject: Any) -> bool:
    """Whether a call draws random numbers or changes parameters or buffers."""
    model = subject.model()
    before = copy.deepcopy(model.state_dict())
    subject.streams = []
    with torch.no_grad():
        subject.call(model, subject.arguments(False))
    after = model.state_dict().items()
    return any(subject.streams) or any(not torch.equal(before[name], new) for name, new in after)


def try_variant(
    index: int, variant: dict[str, Any], subject: Any, exact: Any, own: Any, tolerance: Any
) -> None:
    """Do one use with both, and say how it ends; nothing where the reference itself fails."""
    use, parameters = variant["use"], variant["parameters"]
    here = {"index": index, "use": use, "words": variant["words"]}
    say(**here, runs="reference")
    value, facts = attempt(subject, use, parameters)
    refused = facts["error"]
    if facts["died"] or (refused and not variant["refuses"]):
        return
    golden = None
    if not refused and not any(facts["streams"]):
        golden, other = attempt(exact, use, parameters)
        golden = None if other["error"] else golden
    say(**here, runs="file")
    result, mine = attempt(own, use, parameters)
    if mine["died"]:
        say(**here, outcome="crashes", detail=mine["error"])
    elif refused:
        accepts = mine["error"] is None
        words = f"accepts what the reference refuses: {refused}" if accepts else ""
        say(**here, outcome="WRONG" if accepts else "same", detail=words)
    elif mine["error"]:
        say(**here, outcome="raises", detail=mine["error"])
    else:
        bad = fault(result, value, golden, use, tolerance)
        others = zip(mine["streams"], facts["streams"], strict=False)
        if bad and any(left and right and left != right for left, right in others):
            say(**here, outcome="not tried", detail="it draws other random numbers")
        else:
            right = "falls back" if mine["fell_back"] else "same"
            say(**here, outcome="WRONG" if bad else right, detail=bad or "")


def fault(own: Any, value: Any, golden: Any, use: str, tolerance: Any) -> str | None:
    """Return in which way results are wrong; None where they are right."""
    any_float = use == "autocast"
    if nest(own, any_float) != nest(value, any_float):
        return f"returns {nest(own, False)}, the reference {nest(value, False)}"[:300]
    truths = list(leaves(golden))
    values = list(leaves(value))
    fits = [one.shape for one in truths] == [one.shape for one in values]
    columns = zip(leaves(own), values, truths if fits else [None] * len(values), strict=True)
    found = (wrong_tensor(*column, use in LOSSY, tolerance) for column in columns)
    return next((words for words in found if words), None)


def nest(value: Any, any_float: bool) -> str:
    """Return a nest in words: shapes, types, and all that is no tensor, floats roughly."""
    if isinstance(value, torch.Tensor):
        kind = "a float" if any_float and value.is_floating_point() else str(value.dtype)[6:]
        return f"{kind} {list(value.shape)}"
    if isinstance(value, dict):
        parts = (f"{key!r}: {nest(item, any_float)}" for key, item in value.items())
        return "{" + ", ".join(parts) + "}"
    if isinstance(value, (list, tuple)):
        ends = "[]" if isinstance(value, list) else "()"
        return ends[0] + ", ".join(nest(item, any_float) for item in value) + ends[1]
    return f"{value:.4g}" if isinstance(value, float) else repr(value)


def wrong_tensor(
    own: torch.Tensor, value: torch.Tensor, golden: Any, lossy: bool, tolerance: Any
) -> str | None:
    """Return by how much a tensor is wrong: by the rule with float64 and by that without it."""
    own, value = own.cpu(), value.cpu()
    if not (value.is_floating_point() or value.is_complex()):
        differ = int((own != value).sum())
        few = differ <= max(1, FEW_INTEGERS * value.numel()) and value.dtype != torch.bool
        return None if differ == 0 or few or lossy else f"{differ} of {value.numel()} differ"
    own, finite = own.to(value.dtype), value.isfinite()
    if bool((finite & ~own.isfinite()).any()):
        return "not finite where the reference is"
    own, value = own[finite], value[finite]
    truth = None if golden is None else golden.cpu()[finite]
    if value.numel() == 0:
        return None
    if any(compare(own, value, one, tolerance).reason is None for one in (truth, None)):
        return None
    wide = torch.complex128 if value.is_complex() else torch.float64
    error = (own.to(wide) - value.to(wide)).abs()
    rms = math.sqrt(float(value.to(wide).abs().square().mean()))
    if lossy and math.sqrt(float(error.square().mean())) <= GROSS * rms:
        return None
    return f"off by {float(error.max()) / rms if rms else math.inf:.2g} times its size"


# -- the parent -----------------------------------------------------------------------------------


def tried_uses(command: Sequence[str]) -> Iterator[Use]:
    """Yield the outcome of each use, its worst one, in the order of the plan.

    Args:
        command: starts the child, which goes on from the number that is appended.
    """
    found: dict[str, list[Use]] = {}
    number: int | None = 0
    while number is not None:
        number = listened([*command, str(number)], found)
    for outcomes in found.values():
        worst = min(outcomes, key=lambda one: FROM_WORST.index(one.outcome))
        is_good = worst.outcome in ("same", "falls back")
        yield worst._replace(detail=f"{len(outcomes)} tried") if is_good else worst


def listened(command: Sequence[str], found: dict[str, list[Use]]) -> int | None:
    """Run one child; add what it says. Return where the next one goes on; None at the end."""
    quiet = subprocess.DEVNULL
    child = subprocess.Popen(command, stdin=quiet, stdout=subprocess.PIPE, stderr=quiet, text=True)
    assert child.stdout is not None
    last: dict[str, Any] = {}
    end = watchdog(child, SLOW_LIMIT_S)
    for line in child.stdout:
        if line.startswith(SIGN):
            end.cancel()
            last = json.loads(line[len(SIGN) :])
            end = watchdog(child, SLOW_LIMIT_S if last.get("use") in SLOW else USE_LIMIT_S)
            if "outcome" in last:
                words = ": ".join(filter(None, [last["words"], last["detail"]]))
                found.setdefault(last["use"], []).append(Use(last["use"], last["outcome"], words))
    status = child.wait()
    end.cancel()
    if last.get("done"):
        return None
    if not last:
        found["uses"] = [Use("uses", "not tried", f"they could not be planned, exit code {status}")]
        return None
    if last.get("runs") == "file":
        words = f"{last['words']}: the process ended with {status}".removeprefix(": ")
        found.setdefault(last["use"], []).append(Use(last["use"], "crashes", words))
    return int(last["index"]) + 1


def watchdog(child: subprocess.Popen[str], seconds: float) -> threading.Timer:
    """Kill a child that says nothing for so long."""
    timer = threading.Timer(seconds, child.kill)
    timer.daemon = True
    timer.start()
    return timer
