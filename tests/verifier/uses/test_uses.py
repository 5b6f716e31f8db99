"""Tests of uses with real workers: each misuse is found by the use meant for it."""

from __future__ import annotations

import textwrap

import pytest

from kernelwright.delivery.scope import Family, Scope
from kernelwright.delivery.splice import splice
from kernelwright.schema import Level, Limits
from kernelwright.verifier.inside.uses import FUNCTIONS
from kernelwright.verifier.uses.catalogue import USES, uses_at
from tests.verifier import kit
from tests.verifier.uses.kit import MODULE, candidate_of, detail, module, named, outcomes, tried
from tests.verifier.uses.misuses import FORWARD, WRONG, Misuse


def test_every_use_has_a_place_in_the_catalogue() -> None:
    assert set(FUNCTIONS) == set(USES)


def test_the_reference_itself_is_as_the_reference_in_every_use() -> None:
    found = tried(module(), candidate_of(), "strict")
    assert found.renamed is None
    assert set(outcomes(found).values()) == {"same"}
    # No input is an image, has integers or is a mask, all of forward's are given, weights take one
    # type only.
    says_nothing = {"channels-last-inputs", "arguments-given", "other-dtypes", "negative-indices"}
    says_nothing |= {"other-masks"}
    assert set(outcomes(found)) == {use.name for use in uses_at("strict")} - says_nothing


@pytest.mark.parametrize("misuse", WRONG, ids=lambda misuse: misuse.name)
def test_a_misuse_is_found_by_the_use_meant_for_it(misuse: Misuse) -> None:
    level: Level = "strict" if misuse.found_by == ("constructor-arguments",) else "standard"
    found = tried(module(), candidate_of(MODULE, misuse.change), level, only=misuse.found_by)
    assert named(found, "wrong") == set(misuse.found_by), found.results
    assert all(detail(found, use) for use in misuse.found_by)


def test_the_detail_says_by_how_much() -> None:
    (packed,) = (misuse for misuse in WRONG if "packed" in misuse.name)
    found = tried(module(), candidate_of(MODULE, packed.change), only=("weights-loaded-later",))
    said = detail(found, "weights-loaded-later")
    assert said.startswith("off by ")
    assert 0.1 < float(said.split()[-2]) < 100


def test_a_crash_is_that_uses_outcome_and_the_others_are_tried() -> None:
    crash = f"if x.shape[0] == 3:\n            import os\n            os.abort()\n        {FORWARD}"
    uses = ("other-batch-sizes", "train", "deepcopy")
    found = tried(module(), candidate_of(MODULE, (FORWARD, crash)), only=uses)
    expected = {"other-batch-sizes": "crashes", "train": "same", "deepcopy": "same"}
    assert outcomes(found) == expected
    assert "batch 3" in detail(found, "other-batch-sizes")
    assert "signal 6" in detail(found, "other-batch-sizes")


def test_a_hang_is_a_crash(monkeypatch: pytest.MonkeyPatch) -> None:
    hurried = USES["empty-batch"]._replace(timeout_s=2.0)
    monkeypatch.setattr("kernelwright.verifier.uses.trial.USES", {**USES, "empty-batch": hurried})
    hang = f"while x.shape[0] == 0: pass\n        {FORWARD}"
    uses = ("empty-batch", "deepcopy")
    found = tried(module(), candidate_of(MODULE, (FORWARD, hang)), only=uses)
    assert outcomes(found) == {"empty-batch": "crashes", "deepcopy": "same"}
    assert "did not answer" in detail(found, "empty-batch")


def test_memory_beyond_the_limit_is_that_uses_outcome() -> None:
    wasteful = f"if x.shape[0] == 3: self.kept = torch.ones(10 * 2**30 // 4)\n        {FORWARD}"
    task = module().model_copy(update={"limits": Limits(memory_bytes=2**30)})
    uses = ("other-batch-sizes", "deepcopy")
    found = tried(task, candidate_of(MODULE, (FORWARD, wasteful)), only=uses)
    assert outcomes(found)["other-batch-sizes"] in ("raises", "crashes")
    assert outcomes(found)["deepcopy"] == "same"


def test_a_narrower_scope_raises() -> None:
    narrow = f"assert x.dtype == torch.float32, 'float32 only'\n        {FORWARD}"
    found = tried(module(), candidate_of(MODULE, (FORWARD, narrow)), only=("half", "train"))
    assert outcomes(found) == {"half": "raises", "train": "same"}
    assert detail(found, "half") == "AssertionError: float32 only"


def test_a_guarded_file_falls_back() -> None:
    guarded = (
        "if x.shape[0] != 6:\n            type(self).fallbacks['another batch'] += 1\n"
        f"        {FORWARD}"
    )
    counter = "from collections import Counter\n" + candidate_of(MODULE, (FORWARD, guarded))
    text = counter.replace("(nn.Module):", "(nn.Module):\n    fallbacks = Counter()\n", 1)
    found = tried(module(), text, only=("other-batch-sizes", "train"))
    assert outcomes(found) == {"other-batch-sizes": "falls-back", "train": "same"}


LARGE = """
    class Model(nn.Module):
        def __init__(self):
            super().__init__()
            self.gain = nn.Parameter(torch.ones(1100))
            self.register_buffer("order", torch.arange(1100))

        def forward(self, x):
            return x * self.gain[self.order]

    def get_inputs():
        return [torch.randn(4096, 1100)]

    def get_init_inputs():
        return []
"""


def guarded_with_fixed_sizes(*changes: tuple[str, str]) -> str:
    """Return the guarded file of the large module, with some words of its forward replaced."""
    family = Family(
        constructor=[],
        names=["x"],
        arguments=[{"tensor": ["float32", [4096, 1100], [0, 1]]}],
        state={"gain": ("float32", [1100], [1]), "order": ("int64", [1100], [1])},
    )
    scope = Scope(device="cpu", families=(family,))
    reference = kit.source(textwrap.dedent(LARGE))
    return splice(reference, candidate_of(LARGE, *changes), scope, "Large.")


@pytest.mark.parametrize(
    ("new", "use"),
    [
        (
            "KEPT.setdefault(0, self.gain.detach().clone())[self.order]",
            "weights-changed-in-place",
        ),
        ("self.gain", "buffers-changed"),
    ],
)
def test_uses_of_large_inputs_reach_the_fast_path(new: str, use: str) -> None:
    text = guarded_with_fixed_sizes(
        ("self.gain[self.order]", new), ("class Model(", "KEPT = {}\n\n\nclass Model(")
    )
    assert outcomes(tried(module(LARGE), text, only=(use, "inference-mode"))) == {
        use: "wrong",
        "inference-mode": "same",
    }


def test_other_names_are_said_and_hide_nothing() -> None:
    renamed = candidate_of(
        MODULE, ("self.fc = nn", "self.linear = nn"), ("self.fc(x)", "self.linear(x)")
    )
    uses = ("weights-loaded-later", "other-numbers", "two-instances")
    found = tried(module(), renamed, only=uses)
    assert found.renamed is not None
    assert "'fc.weight'" in found.renamed and "'linear.weight'" in found.renamed
    assert outcomes(found)["weights-loaded-later"] == "raises"
    assert outcomes(found)["other-numbers"] == "same"
    baked = tried(module(), renamed.replace("y * scale", "y * 0.5"), only=uses)
    assert outcomes(baked)["other-numbers"] == "wrong"


def test_without_time_nothing_is_tried_and_that_is_said() -> None:
    found = tried(module(), candidate_of(), budget_s=0.0)
    assert set(outcomes(found).values()) == {"not-tried"}
    assert detail(found, "train") == "no time was left"


DROPOUT = """
    class Model(nn.Module):
        def __init__(self):
            super().__init__()
            self.drop = nn.Dropout(0.5)
            self.eval()

        def forward(self, x):
            return self.drop(x) * 2
"""


def test_dropout_is_tried_in_training_mode() -> None:
    ignored = candidate_of(DROPOUT, ("self.drop(x) * 2", "x * 2"))
    assert named(tried(kit.task(DROPOUT), ignored, only=("train", "eval")), "wrong") == {"train"}
    own = (
        "return self.drop(x) * 2",
        "if not self.training: return x * 2\n"
        "        return x * 2 * (torch.randn(x.shape) < 0) / 0.5",
    )
    other_stream = tried(kit.task(DROPOUT), candidate_of(DROPOUT, own), only=("train",))
    assert outcomes(other_stream) == {"train": "not-tried"}


CHOICE = """
    class Model(nn.Module):
        def __init__(self, kind="{kind}"):
            super().__init__()
            self.kind = kind

        def forward(self, x):
            return {body}
"""


@pytest.mark.parametrize(
    ("kind", "body", "baked"),
    [
        ("gelu", "x.cos() if self.kind == 'gelu' else x.tanh()", "x.cos()"),
        ("fast", "x.cos() if self.kind == 'fast' else x.tanh()", "x.cos()"),
        (
            "none",
            "nn.functional.gelu(x, approximate=self.kind) * 100",
            "nn.functional.gelu(x) * 100",
        ),
    ],
)
def test_a_text_that_has_no_other_beside_it_in_the_source(kind: str, body: str, baked: str) -> None:
    text = CHOICE.format(kind=kind, body=body)
    uses = ("constructor-arguments",)
    found = tried(kit.task(text), candidate_of(text, (body, baked)), "strict", only=uses)
    assert outcomes(found) == {"constructor-arguments": "wrong"}
    found = tried(kit.task(text), candidate_of(text), "strict", only=uses)
    assert outcomes(found) == {"constructor-arguments": "same"}
