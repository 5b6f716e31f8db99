"""Tests of uses in whole evaluations: flags, refusals, levels and guarded files."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from kernelwright.schema import Criteria, Evaluation, Level, Status, UsesRule
from kernelwright.verifier.integrity.catalog import RULES
from kernelwright.verifier.judge import Judge
from kernelwright.verifier.levels import EFFORTS
from kernelwright.verifier.reference.reference import Reference
from tests.verifier import kit
from tests.verifier.uses.kit import MODULE, UNHURRIED_S, candidate_of, module
from tests.verifier.uses.misuses import FORWARD, WRONG

PACKED = candidate_of(MODULE, WRONG[0].change)
RENAMED = candidate_of(MODULE, ("self.fc = nn", "self.own = nn"), ("self.fc(x)", "self.own(x)"))
CRASHING = candidate_of(
    MODULE, (FORWARD, f"if x.shape[0] == 3:\n            import os; os.abort()\n        {FORWARD}")
)


@pytest.fixture(scope="module")
def reference() -> Iterator[Reference]:
    with kit.live_reference(module()) as reference:
        yield reference


@pytest.fixture(autouse=True)
def unhurried(monkeypatch: pytest.MonkeyPatch) -> None:
    changes = {"uses_s": UNHURRIED_S, "baselines": ("eager",), "workers": 1, "most_workers": 1}
    monkeypatch.setitem(EFFORTS, "standard", EFFORTS["standard"].model_copy(update=changes))


def judged(
    reference: Reference,
    folder: Path,
    text: str,
    level: Level = "standard",
    uses: UsesRule = "flag",
) -> Evaluation:
    """Evaluate a candidate, and check that it left no process behind."""
    found = Judge(reference, folder, Criteria(uses=uses)).evaluate(kit.candidate(text), level)
    assert found.model_validate_json(found.model_dump_json()) == found
    return found


def rules(found: Evaluation) -> dict[str, str]:
    """Return the severity of each rule on uses that found something."""
    return {f.rule: f.severity for f in found.flags if RULES[f.rule].kind == "uses"}


def test_a_level_that_tries_no_uses_says_nothing_of_them(
    reference: Reference, tmp_path: Path
) -> None:
    found = judged(reference, tmp_path, PACKED, "fast")
    assert found.accepted and found.uses == () and rules(found) == {}


def test_an_honest_candidate_has_its_uses_in_the_verdict(
    reference: Reference, tmp_path: Path
) -> None:
    found = judged(reference, tmp_path, candidate_of(), uses="refuse")
    assert found.accepted and found.speedup
    assert {use.outcome for use in found.uses} == {"same"} and len(found.uses) > 30


@pytest.mark.parametrize(
    ("text", "rule", "status", "words"),
    [
        (PACKED, "wrong-outside-scope", Status.INCORRECT_NUMERICAL, "load_state_dict after the"),
        (CRASHING, "crashes-outside-scope", Status.RUNTIME_ERROR, "batch 3"),
        (RENAMED, "renamed-parameters", Status.RUNTIME_ERROR, "can't be loaded"),
    ],
)
def test_a_finding_flags_or_refuses(
    reference: Reference, tmp_path: Path, text: str, rule: str, status: Status, words: str
) -> None:
    flagged = judged(reference, tmp_path, text)
    assert flagged.accepted and flagged.speedup
    assert rules(flagged) == {rule: "suspicious"}
    refused = judged(reference, tmp_path, text, uses="refuse")
    assert not refused.accepted and not refused.speedup
    assert (refused.status, rules(refused)) == (status, {rule: "refuse"})
    assert words in refused.reason and refused.uses


def test_what_is_refused_anyway_is_not_tried(reference: Reference, tmp_path: Path) -> None:
    found = judged(reference, tmp_path, candidate_of(MODULE, ("y * scale", "y")))
    assert found.status is Status.INCORRECT_NUMERICAL and found.uses == ()


def guarded(condition: str) -> str:
    """Return a file that counts calls of the original forward."""
    counted = (
        f"if {condition}:\n            type(self).fallbacks['a reason'] += 1\n        {FORWARD}"
    )
    text = candidate_of(MODULE, (FORWARD, counted))
    return "from collections import Counter\n" + text.replace(
        "(nn.Module):", "(nn.Module):\n    fallbacks = Counter()\n", 1
    )


@pytest.mark.parametrize("level", ["fast", "standard"])
def test_a_file_that_falls_back_in_its_own_workloads_is_refused(
    reference: Reference, tmp_path: Path, level: Level
) -> None:
    found = judged(reference, tmp_path, guarded("True"), level)
    assert not found.accepted and rules(found) == {"fell-back": "refuse"}
    assert found.status is Status.RUNTIME_ERROR
    assert "its fast path did not run" in found.reason and "a reason" in found.reason


def test_a_file_that_falls_back_elsewhere_is_accepted(reference: Reference, tmp_path: Path) -> None:
    found = judged(reference, tmp_path, guarded("x.shape[0] != 6"), uses="refuse")
    assert found.accepted
    assert "falls-back" in {use.outcome for use in found.uses}


def test_the_rule_is_part_of_a_key_where_it_is_not_the_usual_one(
    reference: Reference, tmp_path: Path
) -> None:
    candidate = kit.candidate(PACKED)
    usual, flag, refuse = (
        judge.evaluation_key(candidate, "standard")
        for judge in (
            Judge(reference, tmp_path),
            Judge(reference, tmp_path, Criteria(uses="flag")),
            Judge(reference, tmp_path, Criteria(uses="refuse")),
        )
    )
    assert usual == flag != refuse
