"""Tests of the task audit: it finds unsound tasks, and passes tasks that only look unsound."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest

from kernelwright.errors import InvalidReferenceError
from kernelwright.sandbox.machine import Machine
from kernelwright.schema import Task, ToleranceName, Workload
from kernelwright.tasks.loader import load_task
from kernelwright.verifier.audit import findings, probe
from kernelwright.verifier.audit.audit import AuditFinding, audit, quick_audit, require_sound
from kernelwright.verifier.audit.catalog import RULES
from kernelwright.verifier.reference.reference import Reference
from kernelwright.verifier.worker.instance import Instance
from tests.cli.kit import TASK, Shell
from tests.verifier import kit

# Enough work for a call to be more than overhead, on any machine.
LINEAR = """
    class Model(nn.Module):
        def __init__(self):
            super().__init__()
            self.linear = nn.Linear(256, 256)
            {more}
        def forward(self, x):
            x = self.linear(x)
            return {result}

    def get_inputs():
        return [torch.randn(96, 256)]

    def get_init_inputs():
        return []
"""
PLAIN = """
    class Model(nn.Module):
        {init}
        def forward(self, {arguments}):
            return {result}

    def get_inputs():
        return [{inputs}]

    def get_init_inputs():
        return []
"""


@pytest.fixture
def machine() -> Machine:
    return kit.machine()


def linear(result: str, more: str = "pass") -> Task:
    return kit.task(LINEAR.format(result=result, more=more))


def plain(
    result: str,
    inputs: str = "torch.randn(64, 256)",
    arguments: str = "x",
    init: str = "pass",
    before: str = "",
) -> Task:
    text = kit.source(PLAIN.format(init=init, arguments=arguments, result=result, inputs=inputs))
    return kit.task(before + "\n" + text)


def found(where: Machine, task: Task, tolerance: ToleranceName = "default") -> list[AuditFinding]:
    with Reference(task, where, kit.SEED) as reference:
        return audit(reference, tolerance)


def rules(findings: list[AuditFinding], severity: str) -> set[str]:
    return {finding.rule for finding in findings if finding.severity == severity}


def other_than_overhead(findings: list[AuditFinding]) -> list[AuditFinding]:
    return [finding for finding in findings if finding.rule != "overhead-bound"]


TWO = "torch.randn(64, 256), torch.randn(64, 256)"
INVALID = {
    "raises": (plain("x @ x"), {"unusable"}),
    "clock": (
        plain("x * (time.perf_counter_ns() % 999_983)", before="import time"),
        {"not-repeatable"},
    ),
    "shapes": (plain("x[x[:, 0] > 0]"), {"shape-depends-on-data"}),
    "inputs": (
        plain("x", inputs="torch.randn(int(torch.randint(2, 99, ())), 8)"),
        {"shape-depends-on-data"},
    ),
    "nan": (plain("(-x.abs() - 1).sqrt()"), {"not-finite"}),
    "dead": (
        plain("x.amax(1, keepdim=True) - x.amax(1, keepdim=True).mean(1, keepdim=True)"),
        {"no-reaction", "zeros-accepted"},
    ),
    "clamped": (plain("x.relu().clamp(max=0)"), {"no-reaction", "zeros-accepted"}),
    "rounding": (linear("(x - x.mean(1, keepdim=True)).mean(1)"), {"zeros-accepted"}),
    "constant": (plain("1e6 + x * 0.1"), {"constant-accepted"}),
    "indices": (plain("torch.full_like(x, 3).long()"), {"no-reaction", "constant-accepted"}),
    "input": (plain("x * 1.0 + 1e-12"), {"input-accepted"}),
    "flat": (plain("x.relu().flatten() - (-x).relu().flatten()"), {"input-accepted"}),
    "position": (
        plain("torch.arange(64 * 256.).view(64, 256) + 1e-3 * x"),
        {"stale-accepted"},
    ),
    "weights": (
        plain(
            "self.w.expand(64, -1) + 0 * x",
            init="def __init__(self):\n            super().__init__()\n"
            "            self.w = nn.Parameter(torch.randn(256))\n",
        ),
        {"no-reaction"},
    ),
}


@pytest.mark.parametrize("name", INVALID)
def test_a_task_on_which_a_verdict_means_nothing(machine: Machine, name: str) -> None:
    task, expected = INVALID[name]
    findings = found(machine, task)
    assert rules(findings, "invalid") == expected, findings
    assert all(finding.workload == "default" and finding.evidence for finding in findings)


WARNING = {
    "some-nan": (plain("x.log()"), "not-finite"),
    "fixed": (plain("x.exp()", inputs="torch.arange(16384.) / 16384"), "fixed-inputs"),
    "one-of-two": (plain("(x.exp(), x * 0)"), "zeros-accepted"),
    "residual": (plain("(x.exp(), x)"), "input-accepted"),
    "positive-relu": (plain("x.relu()", "torch.rand(64, 256)"), "input-accepted"),
    "wide-clamp": (plain("x.clamp(-1, 1)", "torch.rand(64, 256)"), "input-accepted"),
    "rows": (plain("x.mean(1, keepdim=True).expand(-1, 256) + 1e-9 * x"), "rows-accepted"),
    "narrow": (plain("x.double().mul(2e-6).add(1.0).float()"), "tiny-range"),
    "dropout": (plain("nn.functional.dropout(x.exp(), 0.5)"), "draws-random"),
    "batch-norm": (linear("self.norm(x)", "self.norm = nn.BatchNorm1d(256)"), "stateful"),
    "train-mode": (linear("self.norm(x)", "self.norm = nn.BatchNorm1d(256)"), "train-mode"),
    "neutral": (linear("self.norm(x)", "self.norm = nn.LayerNorm(256)"), "neutral-weights"),
    "overhead": (plain("x + 1", inputs="torch.randn(8)"), "overhead-bound"),
    "unread": (plain("x.exp()", TWO, "x, y"), "dead-input"),
    "normed-bias": (linear("x - x.mean(0)"), "dead-parameter"),
    "small": (plain("x.softmax(1) * 1e-5"), "zeros-accepted"),
    "number": (plain("(x.exp(), float(x.sum()))"), "shape-depends-on-data"),
}


@pytest.mark.parametrize("name", WARNING)
def test_a_task_to_be_warned_of(machine: Machine, name: str) -> None:
    task, expected = WARNING[name]
    findings = found(machine, task)
    assert rules(findings, "invalid") == set()
    assert expected in rules(findings, "warning"), findings


SOUND = {
    "work": linear("torch.relu(x)"),
    "offset": linear("x + 1000.0"),
    "small": linear("x * 1e-4"),
    "sum": plain("x.exp().sum()", inputs="torch.randn(64, 256)"),
    "half": plain("x.softmax(1)", inputs="torch.randn(64, 256).half()"),
    "masked": linear("x.masked_fill(x < 0, 0.0)"),
    "indices": linear("x.argsort(1)"),
    "mostly-zero": linear("torch.relu(x - 0.9)"),
    "two-inputs": plain("x.exp() + y.sigmoid()", TWO, "x, y"),
    "one-empty": plain("(x.exp(), x[:0])"),
    "mask-input": plain("x.exp() * y", "torch.randn(64, 256), torch.ones(64, 256)", "x, y"),
}


@pytest.mark.parametrize("name", SOUND)
def test_nothing_is_wrong(machine: Machine, name: str) -> None:
    assert other_than_overhead(found(machine, SOUND[name])) == []


def test_a_module_that_is_put_into_eval_mode_is_measured_so(machine: Machine) -> None:
    more = "self.norm = nn.BatchNorm1d(256, affine=False)"
    task = linear("torch.relu(self.norm(x))", more)
    (finding,) = (one for one in found(machine, task) if one.rule == "train-mode")
    assert finding.evidence.startswith("BatchNorm1d in train mode; put self.eval() into __init__")
    served = linear("torch.relu(self.norm(x))", f"{more}; self.eval()")
    assert "train-mode" not in rules(found(machine, served), "warning")


def test_long_and_short_calls(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    assert found(machine, SOUND["work"]) == []
    monkeypatch.setattr(findings, "SLOW_S", 1e-5)
    (finding,) = found(machine, SOUND["work"])
    assert (finding.rule, finding.severity) == ("slow", "warning")


def test_every_rule_is_tried_here() -> None:
    tried = {rule for _, expected in INVALID.values() for rule in expected}
    tried |= {expected for _, expected in WARNING.values()}
    assert tried == {rule.id for rule in RULES} - {"slow"}


def test_an_answer_that_only_kernelbench_would_take_is_a_warning(machine: Machine) -> None:
    for tolerance in ("default", "kernelbench"):
        (finding,) = other_than_overhead(found(machine, WARNING["small"][0], tolerance))
        assert (finding.rule, finding.severity) == ("zeros-accepted", "warning")
        assert "only with --tolerance kernelbench" in finding.evidence


def test_a_workload_that_fails_leaves_the_others_their_findings(machine: Machine) -> None:
    text = TASK.replace("return torch.sigmoid", "assert x.shape[0] < 65; return 0 * torch.sigmoid")
    loads = (Workload(name="bad", overrides={"ROWS": 65}), Workload(name="zero"))
    task = kit.task("").model_copy(update={"source": text, "workloads": loads})
    findings = found(machine, task)
    assert [(f.workload, f.rule) for f in findings if f.severity == "invalid"] == [
        ("bad", "unusable"),
        ("zero", "zeros-accepted"),
    ]


def test_a_task_without_a_workload_for_this_machine(machine: Machine) -> None:
    task = plain("x").model_copy(update={"workloads": (Workload(name="gpu", target="cuda"),)})
    (finding,) = found(machine, task)
    assert (finding.rule, finding.workload) == ("unusable", "")


def test_unsound_tasks_are_refused_and_warnings_are_returned(machine: Machine) -> None:
    with Reference(INVALID["rounding"][0], machine, kit.SEED) as reference:
        with pytest.raises(InvalidReferenceError, match="zeros-accepted.*all zeros") as caught:
            require_sound(reference)
        assert caught.value.hint
    with Reference(INVALID["raises"][0], machine, kit.SEED) as reference:
        with pytest.raises(InvalidReferenceError, match="runtime_error"):
            require_sound(reference)
    with Reference(WARNING["neutral"][0], machine, kit.SEED) as reference:
        assert [finding.rule for finding in require_sound(reference)] == ["neutral-weights"]


def test_an_audited_reference_is_as_before(machine: Machine) -> None:
    task = linear("self.norm(x)", "self.norm = nn.BatchNorm1d(256)")
    with Reference(task, machine, kit.SEED) as fresh, Reference(task, machine, kit.SEED) as used:
        audit(used, "default")
        cases = []
        for reference in (fresh, used):
            live = reference.prepare(reference.workloads()[0])
            cases.append(live.case(live.prepared, 0, "reference"))
    before, after = (case.expected for case in cases)
    assert before.values.tensors[0].equal(after.values.tensors[0])
    assert before.state is not None and after.state is not None
    assert all(map(lambda a, b: a.equal(b), before.state.tensors, after.state.tensors))


def test_a_library_task_is_sound(machine: Machine) -> None:
    assert rules(found(machine, load_task("library/topk")), "invalid") == set()


def test_the_command_prints_findings_and_exits_by_them(shell: Shell) -> None:
    shell.write("suite/zero.py", TASK.replace("return torch.sigmoid", "return 0 * torch.sigmoid"))
    shell.write("suite/sound.py", TASK)
    done = shell.run("tasks", "audit", "suite", "--set", "COLS=256")
    assert (done.code, done.err) == (1, "")
    lines = done.out.splitlines()
    assert "invalid: suite/zero: default: zeros-accepted: all zeros would be accepted" in done.out
    assert lines[-1].startswith("2 tasks: 1 invalid")
    assert not [line for line in lines if line.startswith("invalid: suite/sound")]
    assert shell.left_processes() == []


def test_the_command_writes_json_and_exits_0_when_nothing_is_invalid(shell: Shell) -> None:
    import json

    done = shell.run("tasks", "audit", shell.write("sound.py", TASK), "--json")
    (document,) = json.loads(done.out)
    assert (done.code, document["sound"]) == (0, True)
    assert {"task", "hash", "findings"} <= document.keys()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [(("nowhere",), "unknown task"), (("softmax", "--set", "NOPE=3"), "NOPE")],
)
def test_bad_arguments(shell: Shell, arguments: tuple[str, ...], words: str) -> None:
    done = shell.run("tasks", "audit", *arguments)
    assert (done.code, done.out) == (2, "")
    assert words in done.err and "hint:" in done.err and "Traceback" not in done.err


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    """Return a shell in a private folder."""
    return Shell(tmp_path)


def test_a_cold_first_call_is_not_taken_for_a_long_one() -> None:
    class Cold:
        """An instance with calls of a microsecond; the first one takes a hundredth of a second."""

        def __init__(self) -> None:
            self.calls = 0

        def run(self, slots: list[int]) -> SimpleNamespace:
            cold, self.calls = self.calls == 0, self.calls + len(slots)
            return SimpleNamespace(worker_seconds=len(slots) * 1e-6 + 0.01 * cold)

        def drop(self) -> None:
            pass

    assert probe._call_s(cast(Instance, Cold()), 4) == pytest.approx(1e-6)


def test_the_quick_part_finds_zeros_on_the_smallest_workload() -> None:
    workloads = (
        Workload(name="large", overrides={"ROWS": 64}),
        Workload(name="small", overrides={"ROWS": 8}),
    )
    text = """
        ROWS = 32
        class Model(nn.Module):
            def forward(self, x):
                return torch.relu(-x.abs())

        def get_inputs():
            return [torch.randn(ROWS, 16)]

        def get_init_inputs():
            return []
    """
    with kit.live_reference(kit.task(text, workloads=workloads)) as reference:
        found = quick_audit(reference)
    assert {(finding.workload, finding.rule) for finding in found} == {
        ("small", "no-reaction"),
        ("small", "zeros-accepted"),
    }
    with kit.live_reference(kit.task(text.replace("-x.abs()", "x"))) as reference:
        assert quick_audit(reference) == []
