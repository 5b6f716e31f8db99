"""Finding the scope of a candidate: facts about the reference, and sizes that are judged."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from kernelwright.delivery.scope import Family, Pattern, Scope, pattern_words
from kernelwright.delivery.splice import NotDeliverableError
from kernelwright.schema import Candidate
from kernelwright.verifier.inside import scope_facts
from kernelwright.verifier.inside.worker import describe
from kernelwright.verifier.integrity.compiled import calls_compile
from kernelwright.verifier.reference.distributions import moves_of
from kernelwright.verifier.reference.reference import Reference
from kernelwright.verifier.reference.workload import PreparedWorkload
from kernelwright.verifier.scope.size_judge import FAR, SizeJudge, judged_sizes, reference_worker
from kernelwright.verifier.scope.sizes import SizeNames
from kernelwright.verifier.worker.faults import WorkerFault
from kernelwright.verifier.worker.tensor_tree import TensorTree

FACTS = Path(scope_facts.__file__)
SHORT_NAMES = ("n", "m", "k", "h", "w", "d")


def find_scope(reference: Reference, candidate: Candidate, build: Path) -> Scope:
    """Return what the proof of a candidate can cover: a family of calls for each workload.

    Args:
        build: folder of the candidate's build.

    Raises:
        NotDeliverableError: no guard can tell the covered calls from others.
        InfrastructureError: the reference failed.
    """
    families = []
    # A user who comes with another size would wait for the compiler, and so would the judge at each
    # size that it tries.
    has_fixed_sizes = calls_compile(candidate.source)
    for workload in reference.workloads():
        live = reference.prepare(workload)
        prepared = live.perturbed
        family, names, ranges = _fixed_family(reference, prepared)
        with SizeJudge(reference, live, candidate, build, names) as judge:
            judge.require_names()
            judged = {} if has_fixed_sizes else judged_sizes(judge, ranges)
            has_numbers = prepared.example_inputs.has_numbers and judge.takes_moved_numbers()
            takes_far = has_numbers and judge.takes_far_numbers()
        family = _with_free_sizes(family, names, judged)
        if has_numbers:
            arguments = [_with_free_numbers(one, takes_far) for one in family.arguments]
            family = family.model_copy(update={"arguments": arguments})
        families.append(family)
    if len({len(family.arguments) for family in families}) > 1:
        raise NotDeliverableError("its workloads give different numbers of arguments")
    return Scope(device=reference.machine.kind, families=tuple(families))


def fixed_scope(prepared: Sequence[PreparedWorkload], device: str) -> tuple[str, ...]:
    """Return what the verdict on a file without a guard covers: the workloads' own calls."""
    calls = [
        f"inputs: ({', '.join(map(pattern_words, patterns(one.example_inputs)))})"
        for one in prepared
    ]
    rest = f"device: {device}; mode: as constructed; gradients: not wanted; weights: any"
    return *dict.fromkeys(calls), rest


def _fixed_family(
    reference: Reference, prepared: PreparedWorkload
) -> tuple[Family, SizeNames, Mapping[str, list[int | None]]]:
    """Return the family with every size fixed, and the sizes that may be free with their ranges."""
    instance = reference_worker(reference, prepared)
    client = instance.client
    try:
        facts: Any = client.tool(FACTS, "facts", key=instance.key)
        free: Any = client.tool(FACTS, "free_sizes", key=instance.key)
    except WorkerFault as fault:
        raise NotDeliverableError(f"its forward can't be watched: {fault.reason}") from fault
    finally:
        client.process.kill()
    if facts["writes"]:
        words = ", ".join(facts["writes"])
        raise NotDeliverableError(f"its forward sets {words}, which no state_dict holds")
    family = Family(
        constructor=_constructor(prepared.init),
        names=facts["names"],
        arguments=guardable(prepared.example_inputs),
        modules=facts["modules"],
        attributes={p: _values(own) for p, own in facts["attributes"].items() if own},
        training=facts["training"] if facts["reads_mode"] else {},
        state=facts["state"],
        described=facts["described"],
        opaque=facts["opaque"],
        missing=facts["missing"],
        replaced=facts["replaced"],
        changed=facts["changed"],
        tied=facts["tied"],
        unaligned=facts["unaligned"],
    )
    return family, free["sizes"], free["ranges"]


def _values(packed: Mapping[str, Any]) -> dict[str, Any]:
    return {name: TensorTree(tree, []).unpacked() for name, tree in packed.items()}


def _constructor(init: TensorTree) -> list[Any]:
    if init.tensors:
        raise NotDeliverableError("its constructor takes tensors, which no guard compares")
    return list(init.unpacked())


def guardable(inputs: TensorTree) -> list[Pattern]:
    """Return a pattern for each argument. Raises NotDeliverableError where no guard can tell."""
    if any(tensor.is_complex() for tensor in inputs.tensors):
        raise NotDeliverableError("it takes complex numbers, whose conjugates no guard tells apart")
    return patterns(inputs)


def patterns(inputs: TensorTree) -> list[Pattern]:
    """Return a pattern for each argument, its sizes and numbers fixed."""
    described = [
        {
            "tensor": [
                str(tensor.dtype).removeprefix("torch."),
                list(tensor.shape),
                describe(tensor)["order"],
            ]
        }
        for tensor in inputs.tensors
    ]

    def pattern(tree: Any) -> Pattern:
        ((form, item),) = tree.items()
        if form == "t":
            return dict(described[item])
        if form in "lu":
            return {{"l": "list", "u": "tuple"}[form]: [pattern(part) for part in item]}
        if form == "d":
            return {"dict": {name: pattern(part) for name, part in item.items()}}
        return {"value": TensorTree(tree, []).unpacked()}

    return [pattern(tree) for tree in inputs.tree["l"]]


def _with_free_numbers(pattern: Pattern, takes_far: bool) -> Pattern:
    """Return a pattern in which floats are free within what was judged: near and far, or near."""
    ((form, item),) = pattern.items()
    if form == "value" and type(item) is float:
        judged = [item, *moves_of(item), *(far(item) for far in FAR if takes_far)]
        return {"number": [min(judged), max(judged)]}
    if form in ("list", "tuple"):
        return {form: [_with_free_numbers(part, takes_far) for part in item]}
    if form == "dict":
        return {form: {name: _with_free_numbers(part, takes_far) for name, part in item.items()}}
    return pattern


def _with_free_sizes(
    family: Family, names: SizeNames, judged: Mapping[str, Sequence[int]]
) -> Family:
    """Return the family with the judged sizes free, by short names."""
    short = dict(zip(judged, SHORT_NAMES, strict=False))
    shown = iter([[short.get(name or "") for name in own] for own in names])

    def freed(pattern: Pattern) -> Pattern:
        ((form, item),) = pattern.items()
        if form == "tensor" and short:
            dtype, shape, order = item
            sizes = [name or size for name, size in zip(next(shown), shape, strict=True)]
            return {"tensor": [dtype, sizes, order]}
        if form in ("list", "tuple"):
            return {form: [freed(part) for part in item]}
        if form == "dict":
            return {form: {name: freed(part) for name, part in item.items()}}
        return pattern

    ends = {
        short[name]: (min(found), max(found)) for name, found in judged.items() if name in short
    }
    return family.model_copy(update={"arguments": [*map(freed, family.arguments)], "sizes": ends})
