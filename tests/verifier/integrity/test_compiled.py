"""A program that is torch.compile's own is known, however it is written, and has no claim on it."""

from __future__ import annotations

from pathlib import Path

import pytest

from kernelwright.agents.offline.emit import compiled_candidate, renamed_reference
from kernelwright.report.verdict import evaluation_words
from kernelwright.report.view import headline_of
from kernelwright.schema import Evaluation
from kernelwright.store.results import TaskResult
from kernelwright.verifier.integrity.compiled import compiled_reference
from kernelwright.verifier.judge import Judge
from kernelwright.verifier.levels import EFFORTS
from kernelwright.verifier.timing import summary
from tests.verifier import kit
from tests.verifier.kit import source

REFERENCE = source('''
    SIZE = 33
    def half(x):
        return x / 2

    class Model(nn.Module):
        """Some layers."""
        def __init__(self, size):
            super(Model, self).__init__()
            self.linear = nn.Linear(size, 16)

        def forward(self, x):
            return torch.relu(half(self.linear(x)))

    def get_inputs():
        return [torch.randn(8, SIZE)]

    def get_init_inputs():
        return [SIZE]
''')
RENAMED = renamed_reference(REFERENCE, None)
WAYS = {
    "assigned": compiled_candidate(REFERENCE, "Compiled.", {}),
    "default mode": compiled_candidate(REFERENCE, "Compiled.", {"mode": "default"}),
    "decorated": RENAMED.replace("    def forward", "    @torch.compile\n    def forward"),
    "decorated with arguments": RENAMED.replace(
        "    def forward", "    @torch.compile(options={}, fullgraph=True)\n    def forward"
    ),
    "another size": RENAMED.replace("SIZE = 33", "SIZE = 64")
    + "ModelNew.forward = torch.compile(ModelNew.forward)\n",
    "a part": RENAMED.replace("nn.Linear(size, 16)", "torch.compile(nn.Linear(size, 16))"),
    "a class": RENAMED.replace("class ModelNew", "@torch.compile\nclass ModelNew"),
}
OPTIONS = (
    {"mode": "max-autotune"},
    {"options": {"cpp.min_chunk_size": 4096}},
    {"dynamic": True},
    {"backend": "aot_eager"},
)


@pytest.mark.parametrize("way", WAYS)
def test_the_baselines_own_program(way: str) -> None:
    assert compiled_reference(WAYS[way], REFERENCE) == "baseline"


@pytest.mark.parametrize("options", OPTIONS)
def test_other_options(options: dict[str, object]) -> None:
    text = compiled_candidate(REFERENCE, "Compiled.", options)
    assert compiled_reference(text, REFERENCE) == "options"


@pytest.mark.parametrize(
    "text",
    [
        RENAMED,
        WAYS["assigned"].replace("torch.relu", "torch.nn.functional.relu"),
        WAYS["assigned"].replace("x / 2", "x * 0.5"),
        WAYS["assigned"] + "\ntorch.relu = lambda x: x\n",
        WAYS["assigned"].replace("self.linear(x)", "re.compile(x)"),
        "def ModelNew(:",
    ],
)
def test_other_programs(text: str) -> None:
    assert compiled_reference(text, REFERENCE) is None


STATEMENTS = """
def steps(x):
    '''Every statement with a body.'''
    for _ in range(2):
        x = x + 1
        x = x * 2
    else:
        x = x - 1
        x = x - 2
    while x.sum() < 0:
        x = x + 1
        x = x + 2
    if x.numel():
        x = x.relu()
        x = x.abs()
    with torch.no_grad():
        x = x.exp()
        x = x.log()
    try:
        x = x.sin()
        x = x.cos()
    except ValueError:
        x = x.tan()
        x = x.tan()
    match x.dim():
        case 1:
            x = x + 1
            x = x + 2
    return (lambda y: y)(x)
"""


def test_every_statement_can_be_in_a_program() -> None:
    reference = REFERENCE.replace("class Model", STATEMENTS + "\n\nclass Model").replace(
        "half(self", "steps(self"
    )
    text = compiled_candidate(reference, "Compiled.", {})
    assert compiled_reference(text, reference) == "baseline"
    assert compiled_reference(text.replace("x.tan()", "x.sin()"), reference) is None


@pytest.mark.parametrize("folder", ["cheats", "honest", "uses"])
def test_any_file_can_be_read(folder: str) -> None:
    texts = [path.read_text() for path in Path("tests", folder).rglob("*.py")]
    assert len(texts) > 40
    for text in texts:
        assert compiled_reference(f"{text}\ntorch.compile(print)\n", text) != "options"


def judged(text: str, tmp_path: Path) -> Evaluation:
    task = kit.task(REFERENCE.partition("nn\n")[2])
    with kit.live_reference(task) as reference:
        return Judge(reference, tmp_path).evaluate(kit.candidate(text, "inductor"), "standard")


def test_there_is_no_speedup_over_the_baselines_own_program(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # One worker is enough: equal programs would be timed in eight.
    few = {"workers": 1, "most_workers": 1, "times_new_workers": False, "uses_s": 0.0}
    monkeypatch.setitem(EFFORTS, "standard", EFFORTS["standard"].model_copy(update=few))
    # Beside other tests single calls are slow by luck.
    monkeypatch.setattr(summary, "batched", lambda rounds, single_calls: None)
    found = judged(WAYS["assigned"], tmp_path)
    assert found.accepted, found.reason
    assert found.compiled == "baseline"
    assert set(found.speedup) == set(found.workloads[0].speedup) == {"eager"}
    assert set(found.workloads[0].timing) == {"candidate", "eager"}  # it costs a compilation
    found = found.model_copy(update={"flags": ()})  # whatever else this machine did
    answer = TaskResult(
        task_id="task",
        status="no_improvement",
        candidate_hash=found.candidate_hash,
        evaluation=found,
    )
    assert headline_of(answer).detail.endswith("This is torch.compile, not a kernel.")
    assert "this is torch.compile, not a kernel" in evaluation_words(found)
