"""Compare the optimized file beside this program with its reference, and time both, here.

    python reproduce.py           # prints one table; exit code 0: right, 1: wrong, 2: can't be run
    python reproduce.py --json    # the same as one line of JSON, the last line of the output

It needs torch alone (and whatever the optimized file needs, a compiler for example). It builds the
reference's `Model` and the file's `ModelNew`, gives the second the parameters of the first, calls
both on fresh inputs, and compares what they return. A value is right when it is off by at most 8
times what the reference itself is off by, measured against the same module in float64, or by at
most 32 roundings (eps) of its type. Then it does with both what people do with modules: other
batch sizes, arguments left out, weights loaded later, copies, threads and more. The file may do
the same, fall back to the reference's own code, or raise an error; other values and crashes are
faults. Last it times both with torch.utils.benchmark, in turns and in both orders, with all
threads, in inference mode. It runs both files: read them first.
"""

from __future__ import annotations

import argparse
import copy
import importlib.util
import json
import platform
import random
import statistics
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple

import torch
from torch.utils.benchmark import Timer

from kernelwright.reproduce.using import FAULTS, tried_uses, try_uses
from kernelwright.verifier.tolerance import Difference, compare

REFERENCE = "reference.py"
OPTIMIZED = "optimized.py"
ENTRY_POINT = "ModelNew"
DEVICE = "cpu"
TOLERANCE: Literal["default", "kernelbench"] = "default"
SIZES = ""
"""A sentence on the sizes of the inputs."""
REPORTED = ""
"""A sentence on what was measured before."""

FOLDER = Path(__file__).resolve().parent
COMPARISONS = 3
# One block of calls, and all of them, in seconds.
BLOCK_S, TIMING_S = 0.02, 1.5
MOST_ROUNDS = 60
# Slightly moved inputs that tell how far a badly conditioned value may move.
MOVES, MOVES_OF_TIES = 5, 16
NO_FLOAT64 = (RuntimeError, TypeError, ValueError, NotImplementedError)

IDLE = "did not run"
"""Outcome of a fast path that the file did not take."""

Inputs = list[Any]
Tensors = list[torch.Tensor]


class Row(NamedTuple):
    """One line of the table."""

    check: str
    outcome: str
    detail: str
    is_fault: bool = False
    """Whether the file is at fault."""


class Files(NamedTuple):
    """The names that the two files define."""

    reference: dict[str, Any]
    optimized: dict[str, Any]


class Pair(NamedTuple):
    """An instance of the reference and one of the optimized module, with the same parameters."""

    reference: torch.nn.Module
    optimized: torch.nn.Module
    tensors: int
    """Number of parameters and buffers."""
    problem: str | None
    """Reason why the second does not take the first one's parameters."""


class Times(NamedTuple):
    """The times of both, one a round, in microseconds."""

    reference_us: list[float]
    optimized_us: list[float]

    @property
    def speedup(self) -> float:
        """The median of the rounds' ratios."""
        both = zip(self.reference_us, self.optimized_us, strict=True)
        return statistics.median(slow / fast for slow, fast in both)


# -- building and calling -------------------------------------------------------------------------


def loaded(name: str) -> dict[str, Any]:
    """Run a file beside this program; return the names that it defines."""
    path = FOLDER / name
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = module
    spec.loader.exec_module(module)
    return vars(module)


def made_pair(files: Files, seed: int) -> Pair:
    """Build both modules; a file whose parameters have other names keeps its own."""
    torch.manual_seed(seed)
    arguments = list(files.reference["get_init_inputs"]())
    models = []
    for build in (files.reference["Model"], files.optimized[ENTRY_POINT]):
        torch.manual_seed(seed)
        models.append(build(*copied(arguments)).to(DEVICE))
    reference, optimized = models
    state, problem = reference.state_dict(), None
    try:
        optimized.load_state_dict(state)
    except RuntimeError as error:
        problem = " ".join(str(error).split())
    return Pair(reference, optimized, len(state), problem)


def fresh_inputs(files: Files, seed: int) -> Inputs:
    """Return new inputs of the reference's kind, on the device."""
    torch.manual_seed(seed)
    return list(copied(list(files.reference["get_inputs"]())))


def each_tensor(value: Any, function: Callable[[torch.Tensor], Any]) -> Any:
    """Return a nest with every tensor replaced by `function` of it."""
    if isinstance(value, torch.Tensor):
        return function(value)
    if isinstance(value, (list, tuple)):
        items = [each_tensor(item, function) for item in value]
        return items if isinstance(value, list) else tuple(items)
    if isinstance(value, dict):
        return {key: each_tensor(item, function) for key, item in value.items()}
    return value


def copied(value: Any, dtype: torch.dtype | None = None) -> Any:
    """Copy every tensor of a nest to the device, floating ones to `dtype`."""

    def copy_of(tensor: torch.Tensor) -> torch.Tensor:
        return tensor.to(DEVICE, dtype if tensor.is_floating_point() else None, copy=True)

    return each_tensor(value, copy_of)


def tensors_of(value: Any) -> Tensors:
    """Return the tensors of a nest, in order."""
    found: Tensors = []
    each_tensor(value, found.append)
    return found


def form(value: Any) -> str:
    """Return a nest in words: shapes, types, and all that is no tensor."""
    return repr(each_tensor(value, lambda tensor: (tuple(tensor.shape), tensor.dtype)))


def result_of(model: torch.nn.Module, inputs: Inputs, seed: int) -> Any:
    """Return the result of one call on copies of the inputs."""
    torch.manual_seed(seed)
    given = copied(inputs)
    with torch.inference_mode():
        return model(*given)


# -- comparing ------------------------------------------------------------------------------------


def comparison(files: Files, pair: Pair, seed: int) -> Row:
    """Call both on fresh inputs and compare the results."""
    name = f"values, seed {seed}"
    inputs = fresh_inputs(files, seed)
    twin = copy.deepcopy(pair.reference)  # a call may change buffers
    torch.manual_seed(seed)
    before = random_state()
    value = result_of(pair.reference, inputs, seed)
    draws = not torch.equal(before, random_state())
    own = result_of(pair.optimized, inputs, seed)
    if form(own) != form(value):
        return Row(name, "WRONG", f"returns {form(own)}, the reference {form(value)}", True)
    golden = None if draws else exact(twin, inputs, seed)
    found = differences(own, value, golden)
    if golden is not None and TOLERANCE == "default" and wrong(found):
        found = differences(own, value, golden, displaced(twin, inputs, seed, value, golden))
    if bad := wrong(found):
        return Row(name, "WRONG", str(bad[0].reason), True)
    margin = max((one.margin for one in found), default=0.0)
    error = max((one.max_abs_error for one in found), default=0.0)
    return Row(name, "right", f"off by {error:.2g} at most, {margin:.0%} of what is allowed")


def random_state() -> torch.Tensor:
    """Return the state of the generator that the device draws random numbers from."""
    return torch.get_rng_state() if DEVICE == "cpu" else torch.cuda.get_rng_state()


def wrong(found: Sequence[Difference]) -> list[Difference]:
    """Return the differences that are larger than what is allowed."""
    return [one for one in found if one.reason is not None]


def differences(
    own: Any, value: Any, golden: Any, displacement: Tensors | None = None
) -> list[Difference]:
    """Compare a result with the reference's, tensor by tensor, on the CPU."""
    values = tensors_of(value)
    nothing: list[None] = [None] * len(values)
    goldens = nothing if golden is None else tensors_of(golden)
    together = zip(tensors_of(own), values, goldens, displacement or nothing, strict=True)
    return [
        compare(one.cpu(), other.cpu(), truth, TOLERANCE, conditioning=distance)
        for one, other, truth, distance in together
    ]


def exact(model: torch.nn.Module, inputs: Inputs, seed: int, move: int | None = None) -> Any:
    """Return the result in float64, on the CPU; None where the module does not run in it.

    Args:
        move: seed of noise that moves what floats by less than one rounding of its type.
    """
    wide = copied(inputs, torch.float64)
    if move is not None:
        shake(tensors_of(wide), tensors_of(inputs), move)
    torch.manual_seed(seed)
    try:
        twin = copy.deepcopy(model).double()
        with torch.inference_mode():
            result = twin(*wide)
    except NO_FLOAT64:
        return None
    return each_tensor(result, torch.Tensor.cpu)


def shake(wide: Tensors, given: Tensors, seed: int) -> None:
    """Move what floats by less than one rounding of the type in which it was given."""
    generator = torch.Generator().manual_seed(seed)
    for value, tensor in zip(wide, given, strict=True):
        if tensor.is_floating_point():
            noise = torch.rand(value.shape, generator=generator, dtype=torch.float64) * 2 - 1
            value.mul_(1 + torch.finfo(tensor.dtype).eps * noise.to(value.device))


def displaced(
    model: torch.nn.Module, inputs: Inputs, seed: int, value: Any, golden: Any
) -> Tensors | None:
    """Return how far each golden value moves when the inputs move within their rounding.

    Integers (an index among ties): all values that they become, in a new first dimension.
    """
    truths = tensors_of(golden)
    count = MOVES if all(one.is_floating_point() for one in tensors_of(value)) else MOVES_OF_TIES
    results = [tensors_of(exact(model, inputs, seed, move)) for move in range(count)]
    if any([one.shape for one in moved] != [one.shape for one in truths] for moved in results):
        return None
    columns = zip(truths, *results, strict=True)
    return [displacement(truth, moved) for truth, *moved in columns]


def displacement(truth: torch.Tensor, moved: Tensors) -> torch.Tensor:
    """Return each element's largest distance from `truth`; of integers all values."""
    if truth.is_floating_point() or truth.is_complex():
        return torch.stack([(one - truth).abs() for one in moved]).amax(0)
    return torch.stack([truth, *moved])


# -- timing ---------------------------------------------------------------------------------------


def timed(files: Files, pair: Pair, seed: int, seconds: float) -> Times:
    """Time both in turns, the first one being the other in every second round.

    Every round has inputs of its own: where memory lies makes a call faster or slower.
    """
    both = (pair.reference, pair.optimized)
    inputs = fresh_inputs(files, seed)
    calls = [max(1, round(BLOCK_S / block_us(model, inputs, 1) * 1e6)) for model in both]
    found: tuple[list[float], list[float]] = ([], [])
    end = time.monotonic() + seconds
    for number in range(MOST_ROUNDS):
        if number % 2 == 0 and number and time.monotonic() > end:
            break
        inputs = fresh_inputs(files, seed + number)
        for side in (0, 1) if number % 2 == 0 else (1, 0):
            found[side].append(block_us(both[side], inputs, calls[side]))
    return Times(*found)


def block_us(model: torch.nn.Module, inputs: Inputs, calls: int) -> float:
    """Return the microseconds of one of some calls in a row, after a warm-up."""
    names = {"model": model, "inputs": inputs}
    timer = Timer("model(*inputs)", globals=names, num_threads=torch.get_num_threads())
    with torch.inference_mode():
        return float(timer.timeit(calls).mean * 1e6)


# -- telling --------------------------------------------------------------------------------------


def time_row(times: Times) -> Row:
    """Return the line on time."""
    both = [statistics.median(side) for side in times]
    words = "reference {}, optimized {}".format(*map(duration, both))
    detail = f"{words} a call; {len(times.reference_us)} rounds"
    return Row("time", f"{times.speedup:.2f}x", detail)


def duration(microseconds: float) -> str:
    """Return a time in the unit that suits it."""
    for limit, divisor, unit in ((1e3, 1.0, "us"), (1e6, 1e3, "ms")):
        if microseconds < limit:
            return f"{microseconds / divisor:.4g} {unit}"
    return f"{microseconds / 1e6:.4g} s"


def table(rows: Sequence[Row]) -> Iterator[str]:
    """Yield aligned lines."""
    lines = [("check", "outcome", "detail"), *(row[:3] for row in rows)]
    widths = [max(len(line[column]) for line in lines) for column in (0, 1)]
    for check, outcome, detail in lines:
        yield f"{check:<{widths[0]}}  {outcome:<{widths[1]}}  {detail}".rstrip()


def checked(files: Files, seeds: Sequence[int]) -> tuple[Pair, list[Row]]:
    """Compare on fresh inputs, one set a seed; return the last pair, and the rows."""
    rows = []
    for seed in seeds:
        pair = made_pair(files, seed)
        rows.append(comparison(files, pair, seed))
    fault = pair.problem is not None
    taken = f"parameters and buffers of the reference, all taken: {pair.tensors}"
    outcome, detail = ("WRONG", pair.problem) if fault else ("right", taken)
    return pair, [Row("load_state_dict", outcome, str(detail), fault), *rows, *fell_back(files)]


def fell_back(files: Files) -> Iterator[Row]:
    """Yield a row if the file's fast path did not run on the task's own inputs."""
    reasons = getattr(files.optimized[ENTRY_POINT], "fallbacks", {})
    if isinstance(reasons, dict) and reasons:
        yield Row("fast path", IDLE, "; ".join(map(str, reasons)))


def rows_of_uses(seed: int) -> list[Row]:
    """Try the uses in processes of their own; return a row for each."""
    words = [f"--seed={seed}", "--uses-from"]
    command = [sys.executable, "-I", "-B", str(Path(__file__).resolve()), *words]
    return [
        Row(f"use: {use.name}", use.outcome, use.detail, use.outcome in FAULTS)
        for use in tried_uses(command)
    ]


def uses_from(files: Files, seed: int, number: int) -> None:
    """Try the uses from a number on, as the child of such a program."""
    torch.manual_seed(seed)
    init = list(copied(list(files.reference["get_init_inputs"]())))
    inputs = fresh_inputs(files, seed)
    both = files.reference["Model"], files.optimized[ENTRY_POINT]
    source = (FOLDER / REFERENCE).read_text(encoding="utf-8")
    try_uses(*both, source, init, inputs, DEVICE, TOLERANCE, number)


def machine() -> str:
    """Return where this runs, on one line."""
    words = [f"torch {torch.__version__}", f"Python {platform.python_version()}"]
    if DEVICE != "cpu":
        return ", ".join([*words, torch.cuda.get_device_name()])
    return ", ".join([*words, f"{torch.get_num_threads()} threads", platform.machine()])


def document(rows: Sequence[Row], times: Times | None) -> dict[str, Any]:
    """Return what was found, for JSON."""
    found: dict[str, Any] = {
        "reference": REFERENCE,
        "optimized": OPTIMIZED,
        "machine": machine(),
        "right": not any(row.is_fault for row in rows),
        "rows": [row._asdict() for row in rows],
        "reference_us": None,
        "optimized_us": None,
        "speedup": None,
    }
    if times is not None:
        found["reference_us"] = statistics.median(times.reference_us)
        found["optimized_us"] = statistics.median(times.optimized_us)
        found["speedup"] = times.speedup
    return found


def told(rows: Sequence[Row], times: Times | None) -> str:
    """Return the table with what a reader has to know."""
    right = not any(row.is_fault for row in rows)
    answer = "The file returned the reference's values" if right else "The file is WRONG here"
    speed = f", at {times.speedup:.2f} times its speed" if times else ""
    if any(row.outcome == IDLE for row in rows):
        speed += ", but its fast path did not run here: these are the original forward's"
    head = filter(None, [f"{OPTIMIZED} beside {REFERENCE}", SIZES, machine()])
    end = filter(None, [f"{answer}{speed}.", REPORTED])
    return "\n".join([*head, "", *table(rows), "", *end])


def arguments() -> argparse.Namespace:
    """Return the arguments of the command line."""
    words = (__doc__ or "").split("\n\n")
    parser = argparse.ArgumentParser(
        description=words[0],
        epilog="\n\n".join(words[2:]),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--json", action="store_true", help="print one line of JSON, not a table")
    parser.add_argument("--seed", type=int, help="of the inputs; another one each time by default")
    parser.add_argument("--without-uses", action="store_true", help="compare and time only")
    parser.add_argument("--uses-from", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--comparisons", type=int, default=COMPARISONS, help="input sets compared")
    parser.add_argument("--seconds", type=float, default=TIMING_S, help="of timing, about")
    return parser.parse_args()


def main() -> int:
    """Compare, time, tell."""
    given = arguments()
    if DEVICE != "cpu" and not torch.cuda.is_available():
        print("this result is for a GPU, and torch sees none here", file=sys.stderr)
        return 2
    for name in (REFERENCE, OPTIMIZED):
        if not (FOLDER / name).is_file():
            print(f"{FOLDER / name} is missing; it belongs beside this program", file=sys.stderr)
            return 2
    files = Files(loaded(REFERENCE), loaded(OPTIMIZED))
    seed = random.SystemRandom().randrange(10**6) if given.seed is None else given.seed
    if given.uses_from is not None:
        uses_from(files, seed, given.uses_from)
        return 0
    pair, rows = checked(files, range(seed, seed + max(1, given.comparisons)))
    if not given.without_uses:
        rows += rows_of_uses(seed)
    times = None
    if not any(row.is_fault for row in rows):
        times = timed(files, pair, seed, given.seconds)
        rows.append(time_row(times))
    print(json.dumps(document(rows, times)) if given.json else told(rows, times))
    return 0 if times is not None else 1


if __name__ == "__main__":
    sys.exit(main())
