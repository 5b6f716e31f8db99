"""Every export format: which rows it has, and that `datasets` loads the file as it is."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from kernelwright.errors import PrerequisiteError, UsageError
from kernelwright.rl.exporters.jsonl import Exported, export
from kernelwright.schema import (
    BUSY_MACHINE,
    Attempt,
    Candidate,
    Evaluation,
    Flag,
    Message,
    Status,
    UseOutcome,
    UseResult,
)
from kernelwright.store.results import TaskResult
from kernelwright.store.store import Store, open_store
from kernelwright.verifier.integrity.catalog import flag
from kernelwright.verifier.integrity.rule import RuleId
from tests.store import samples

ROOT = Path(__file__).resolve().parents[3]
MESSAGES = {"role", "content"}
COLUMNS = {
    "sft": "messages run_id task_id task_hash candidate_hash backend origin speedup speedup_low",
    "grpo": "prompt task_id task_hash reference task",
    "preference": "prompt chosen rejected run_id task_id task_hash chosen_hash rejected_hash "
    "rejected_status",
    "attempts": "run_id task_id task_hash index status accepted level tolerance backend flags "
    "speedup_eager speedup_eager_low speedup_eager_high speedup_compile speedup_compile_low "
    "speedup_compile_high sandbox worker_version error dropped candidate_hash candidate evaluation "
    "reward reward_function reward_version reward_parts plan input_tokens output_tokens cost_usd "
    "started ended git_commit packages",
}
BEST = samples.candidate()
FAST = samples.candidate("# nearly as fast\n")
SLOW = samples.candidate("# right but slow\n")
WRONG = samples.candidate("# wrong\n")
HACK = samples.candidate("# cheats\n")
RESERVED = {"completions", "environment", "environments", "tools", "image", "images", "prompts"}


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with open_store(tmp_path / "store.db") as opened:
        opened.add_run(samples.run())
        opened.add_task(samples.RUN_ID, samples.task())
        yield opened


def fill(store: Store) -> None:
    """Store attempts: a proven win, near miss, slow, wrong, hack, and infrastructure error."""
    refusal = Flag(rule="stale_output", severity="refuse", evidence="same output")
    tried: list[tuple[Candidate, Evaluation]] = [
        (SLOW, samples.evaluation(SLOW, 0.7)),
        (WRONG, samples.evaluation(WRONG, status=Status.INCORRECT_NUMERICAL)),
        (HACK, samples.evaluation(HACK, 30.0, status=Status.REWARD_HACK, flags=(refusal,))),
        (FAST, samples.evaluation(FAST, 2.39)),
        (BEST, samples.evaluation(BEST, 2.4)),
    ]
    for index, (made, verdict) in enumerate(tried):
        store.add_attempt(samples.attempt(index, made, evaluation=verdict))
    store.add_attempt(samples.attempt(5, error="no device"))
    store.add_task_result(samples.RUN_ID, samples.improved(BEST))


def exported(store: Store, name: str, out: Path, **options: str) -> list[dict[str, Any]]:
    done = export(store, [samples.RUN_ID], name, out, **options)
    rows = [json.loads(line) for line in out.read_text(encoding="utf-8").splitlines()]
    assert done == Exported(len(rows), out, done.message) and str(out) in done.message
    return rows


@pytest.mark.parametrize("name", COLUMNS)
def test_datasets_loads_every_format(
    store: Store, tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    datasets = pytest.importorskip("datasets")
    fill(store)
    rows = exported(store, name, tmp_path / "out.jsonl")
    loaded = datasets.load_dataset(
        "json", data_files=str(tmp_path / "out.jsonl"), cache_dir=str(tmp_path / "cache")
    )["train"]
    assert loaded.column_names == COLUMNS[name].split()
    assert not RESERVED & set(loaded.column_names)
    assert list(loaded) == rows
    for column in {"messages", "prompt", "chosen", "rejected"} & set(loaded.column_names):
        assert all(set(message) == MESSAGES for row in loaded for message in row[column])
    for column in {"task", "evaluation", "flags", "reward_parts"} & set(loaded.column_names):
        assert loaded.features[column].dtype == "string"


def test_sft_holds_the_proven_win_alone(store: Store, tmp_path: Path) -> None:
    fill(store)
    [row] = exported(store, "sft", tmp_path / "out.jsonl")
    assert row["candidate_hash"] == BEST.hash
    assert [message["role"] for message in row["messages"]] == ["system", "user", "assistant"]
    assert samples.REFERENCE.strip() in row["messages"][1]["content"]
    assert row["messages"][2]["content"] == BEST.source
    assert row["speedup"] == 2.31


def test_sft_uses_what_the_coder_was_shown(store: Store, tmp_path: Path) -> None:
    fill(store)
    other = samples.call("unrelated", messages=(Message(role="user", content="other"),))
    own = samples.call(f"Here it is:\n```python\n{BEST.source}\n```")
    for call in (other, own):
        store.add_model_call(samples.RUN_ID, samples.task().id, call)
    [row] = exported(store, "sft", tmp_path / "out.jsonl")
    assert row["messages"][:2] == [
        {"role": "system", "content": "You write fast kernels."},
        {"role": "user", "content": "Make this module faster."},
    ]


def test_a_call_belongs_to_its_attempt_whatever_form_its_answer_has(
    store: Store, tmp_path: Path
) -> None:
    fill(store)
    at = next(a.index for a in store.attempts_of(samples.RUN_ID) if a.candidate == BEST)
    shown = {
        "unusable": samples.call("not a file", attempt=at),
        "used": samples.call("<<<<<<< SEARCH\na\n=======\nb\n>>>>>>> REPLACE", attempt=at),
        "lost": samples.call(None, attempt=at, error="timeout"),
        "planned": samples.call(BEST.source, attempt=at, role="planner"),
        "another's": samples.call(BEST.source, attempt=at + 1),
        "early": samples.call(BEST.source),
    }
    for name, call in shown.items():
        prompt = (Message(role="user", content=f"prompt of what was {name}"),)
        own = call.model_copy(update={"messages": prompt})
        store.add_model_call(samples.RUN_ID, samples.task().id, own)
    [row] = exported(store, "sft", tmp_path / "out.jsonl")
    assert row["messages"][0] == {"role": "user", "content": "prompt of what was used"}
    assert row["messages"][-1] == {"role": "assistant", "content": BEST.source}


def test_a_win_that_was_not_measured_strictly_is_not_exported(store: Store, tmp_path: Path) -> None:
    store.add_attempt(samples.attempt(0, BEST))
    assert export(store, [samples.RUN_ID], "sft", tmp_path / "out.jsonl") == (
        0,
        None,
        "nothing to export as sft: no candidate was proven faster at level strict, in its uses "
        "too, without anything suspicious",
    )
    assert not (tmp_path / "out.jsonl").exists()


def test_a_suspicious_win_is_never_taught(store: Store, tmp_path: Path) -> None:
    flag = Flag(rule="threads", severity="suspicious", evidence="a thread outlived the call")
    store.add_attempt(samples.attempt(0, BEST))
    wrong = samples.evaluation(WRONG, status=Status.TIMEOUT)
    store.add_attempt(samples.attempt(1, WRONG, evaluation=wrong))
    final = samples.evaluation(BEST, 2.31, level="strict", flags=(flag,))
    proven = samples.improved(BEST).model_copy(update={"evaluation": final})
    store.add_task_result(samples.RUN_ID, proven)
    for name in ("sft", "preference"):
        done = export(store, [samples.RUN_ID], name, tmp_path / "out.jsonl")
        assert done.rows == 0 and "without anything suspicious" in done.message


@pytest.mark.parametrize("outcome", [None, "not-tried", "same"])
def test_a_win_is_taught_only_if_its_uses_were_tried(
    store: Store, tmp_path: Path, outcome: UseOutcome | None
) -> None:
    fill(store)
    uses = (UseResult(use="train", outcome=outcome),) if outcome else ()
    final = samples.evaluation(BEST, 2.31, level="strict", uses=uses)
    proven = samples.improved(BEST).model_copy(update={"evaluation": final})
    store.add_task_result(samples.RUN_ID, proven)
    for name, rows in (("sft", 1), ("preference", 3)):
        done = export(store, [samples.RUN_ID], name, tmp_path / "out.jsonl")
        assert done.rows == (rows if outcome == "same" else 0)
    assert len(exported(store, "attempts", tmp_path / "all.jsonl")) == 6


@pytest.mark.parametrize(
    "rule", ["wrong-outside-scope", "crashes-outside-scope", "renamed-parameters"]
)
def test_a_win_that_is_wrong_in_a_use_is_never_taught(
    store: Store, tmp_path: Path, rule: RuleId
) -> None:
    fill(store)
    flags = (flag(rule, "train (off by 2 rms)"),)
    final = samples.evaluation(BEST, 2.31, level="strict", flags=flags)
    proven = samples.improved(BEST).model_copy(update={"evaluation": final})
    store.add_task_result(samples.RUN_ID, proven)
    assert export(store, [samples.RUN_ID], "sft", tmp_path / "out.jsonl").rows == 0
    assert export(store, [samples.RUN_ID], "preference", tmp_path / "out.jsonl").rows == 0


def test_the_strict_verdict_alone_proves_a_win(store: Store, tmp_path: Path) -> None:
    busy = Flag(rule=BUSY_MACHINE, severity="suspicious", evidence="others used these cores")
    searched = samples.evaluation(BEST, 2.4, flags=(busy,))
    store.add_attempt(samples.attempt(0, BEST, evaluation=searched))
    for index, made in enumerate((SLOW, WRONG), start=1):
        status = Status.PASSED if made is SLOW else Status.INCORRECT_NUMERICAL
        verdict = samples.evaluation(made, 0.7, status=status)
        store.add_attempt(samples.attempt(index, made, evaluation=verdict))
    store.add_task_result(samples.RUN_ID, samples.improved(BEST))
    [row] = exported(store, "sft", tmp_path / "out.jsonl")
    assert row["candidate_hash"] == BEST.hash and row["speedup"] == 2.31
    pairs = exported(store, "preference", tmp_path / "out.jsonl")
    assert [pair["rejected_hash"] for pair in pairs] == [WRONG.hash], "disturbed times say nothing"


def test_pairs_are_certain_and_share_their_prompt(store: Store, tmp_path: Path) -> None:
    fill(store)
    rows = exported(store, "preference", tmp_path / "out.jsonl")
    assert {row["chosen_hash"] for row in rows} == {BEST.hash}
    rejected = [row["rejected_hash"] for row in rows]
    assert rejected == [SLOW.hash, WRONG.hash, HACK.hash]
    for row in rows:
        assert [message["role"] for message in row["prompt"]] == ["system", "user"]
        assert [message["role"] for message in row["chosen"]] == ["assistant"]


def test_accepted_candidates_are_compared_in_one_environment_at_any_level(
    store: Store, tmp_path: Path
) -> None:
    tried: list[tuple[Candidate, dict[str, Any]]] = [
        (BEST, {"level": "standard"}),
        (SLOW, {"environment": {"cpu": "another"}}),
        (FAST, {}),
    ]
    for index, (made, changes) in enumerate(tried):
        verdict = samples.evaluation(made, 2.4 if made is BEST else 0.5, **changes)
        store.add_attempt(samples.attempt(index, made, evaluation=verdict))
    store.add_task_result(samples.RUN_ID, samples.improved(BEST))
    rows = exported(store, "preference", tmp_path / "out.jsonl")
    assert [row["rejected_hash"] for row in rows] == [FAST.hash]


def test_pairs_written_for_one_prompt_keep_it(store: Store, tmp_path: Path) -> None:
    fill(store)
    for made in (BEST, WRONG):
        store.add_model_call(samples.RUN_ID, samples.task().id, samples.call(made.source))
    rows = exported(store, "preference", tmp_path / "out.jsonl")
    shown = {row["rejected_hash"]: row["prompt"][0]["content"] for row in rows}
    assert shown[WRONG.hash] == "You write fast kernels."
    assert shown[SLOW.hash] != shown[WRONG.hash]


def test_grpo_prompts_do_not_show_hidden_workloads(store: Store, tmp_path: Path) -> None:
    fill(store)
    store.add_run(samples.run("second"))
    store.add_task("second", samples.task())
    store.add_attempt(samples.attempt(run_id="second"))
    done = export(store, [samples.RUN_ID, "second"], "grpo", tmp_path / "out.jsonl")
    assert done.rows == 1
    row = json.loads((tmp_path / "out.jsonl").read_text())
    assert "odd_sizes" not in json.dumps(row["prompt"])
    assert samples.task().model_validate_json(row["task"]) == samples.task()


def test_tasks_that_never_ran_give_no_prompts(store: Store, tmp_path: Path) -> None:
    broken = samples.evaluation(BEST, status=Status.INVALID_REFERENCE)
    store.add_attempt(samples.attempt(0, BEST, evaluation=broken))
    store.add_attempt(samples.attempt(1, error="no device"))
    assert export(store, [samples.RUN_ID], "grpo", tmp_path / "out.jsonl").rows == 0


def test_attempts_keep_errors_without_reward(store: Store, tmp_path: Path) -> None:
    fill(store)
    rows = exported(store, "attempts", tmp_path / "out.jsonl", reward="kevin_v1")
    assert [row["reward"] for row in rows[:5]] == pytest.approx([1.0, 0.0, 0.0, 2.69, 2.7])
    assert (
        rows[5]["reward"] is None and rows[5]["error"] == "no device" and rows[5]["status"] is None
    )
    assert json.loads(rows[2]["flags"])[0]["rule"] == "stale_output"
    back = Evaluation.model_validate_json(rows[4]["evaluation"])
    assert back == samples.evaluation(BEST, 2.4)


def test_unknown_names_are_usage_errors(store: Store, tmp_path: Path) -> None:
    fill(store)
    for run_id, name, reward, words in (
        ("nobody", "sft", "kevin_v1", "unknown run"),
        (samples.RUN_ID, "stf", "kevin_v1", "unknown format"),
        (samples.RUN_ID, "sft", "kevin", "unknown reward"),
    ):
        with pytest.raises(UsageError, match=words) as caught:
            export(store, [run_id], name, tmp_path / "out.jsonl", reward)
        assert caught.value.hint
    assert not (tmp_path / "out.jsonl").exists()


def test_a_file_that_cannot_be_written_is_named(store: Store, tmp_path: Path) -> None:
    fill(store)
    (tmp_path / "file").write_text("")
    with pytest.raises(PrerequisiteError, match="cannot write to"):
        export(store, [samples.RUN_ID], "sft", tmp_path / "file" / "out.jsonl")


def test_a_run_without_attempts_says_so(store: Store, tmp_path: Path) -> None:
    done = export(store, [samples.RUN_ID], "attempts", tmp_path / "out.jsonl")
    assert (done.rows, done.message) == (
        0,
        "nothing to export as attempts: the runs have no attempts",
    )


def test_a_strict_attempt_needs_no_second_measurement(store: Store, tmp_path: Path) -> None:
    verdict = samples.evaluation(BEST, 2.4, level="strict")
    attempt: Attempt = samples.attempt(0, BEST, evaluation=verdict)
    store.add_attempt(attempt)
    store.add_task_result(
        samples.RUN_ID, TaskResult(task_id=samples.task().id, status="no_improvement")
    )
    [row] = exported(store, "sft", tmp_path / "out.jsonl")
    assert row["speedup"] == 2.4


@pytest.mark.parametrize("name", COLUMNS)
def test_the_guide_has_every_column(name: str) -> None:
    text = (ROOT / "docs" / "guides" / "export.md").read_text()
    section = text.partition(f"### {name}\n")[2].partition("\n#")[0]
    first_cells = [line.split("|")[1] for line in section.splitlines() if line.startswith("| `")]
    shown = [column for cell in first_cells for column in re.findall(r"`(\w+)`", cell)]
    common = ["task_id", "task_hash", *(["run_id"] if name != "grpo" else [])]
    assert sorted([*shown, *common]) == sorted(COLUMNS[name].split())
