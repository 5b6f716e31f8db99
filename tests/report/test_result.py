"""The result folder, the verdict document, and faults while writing them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from kernelwright.errors import PrerequisiteError, UsageError
from kernelwright.report.result import read_result, write_result
from kernelwright.report.verdict import explanation, found_words, verdict_document
from kernelwright.reproduce.files import candidate_file_name
from kernelwright.schema import Evidence, HotLine, OwnCode, Status
from kernelwright.store.store import open_store
from tests.report import story
from tests.store import samples

KEYS = (
    "schema_version task candidate status accepted reason wrong explanation flags correctness "
    "timing speedup compiled what_it_is evidence uses scope environment sandbox level tolerance "
    "policy"
).split()
ROOT = Path(__file__).parents[2]


def test_the_verdict_document_has_exactly_its_keys() -> None:
    made = samples.candidate()
    verdict = samples.evaluation(made, 2.0, flags=(story.NOTE,))
    document = verdict_document(samples.task(), made, verdict)
    assert list(document) == KEYS
    assert document["task"] == {"id": samples.task().id, "hash": samples.task().hash}
    assert document["candidate"] == {"hash": made.hash, "backend": "cpp"}
    assert document["accepted"] is True
    assert set(document["flags"][0]) == {"rule", "severity", "evidence"}
    assert set(document["correctness"]) == {"default", "odd_sizes"}
    assert set(document["timing"]) == {"default"}
    assert set(document["speedup"]["eager"]) == {"median", "ci95"}
    assert document["sandbox"]["kind"] == "bwrap"


def test_places_and_hot_lines_are_told_in_lines() -> None:
    made, wrong = samples.candidate(), samples.wrong_values()
    failed = samples.evaluation(made, status=Status.INCORRECT_NUMERICAL, wrong=wrong)
    assert found_words(failed) == list(wrong.words)
    line = HotLine(share=0.6, function="f", line=3, text="y[i] = x;", instructions=(("mov", 0.5),))
    profile = OwnCode(samples=400, share=0.9, busy=(1.0,), lines=(line,))
    evidence = Evidence(level="trace", own_code=profile)
    assert found_words(samples.evaluation(made, evidence=evidence)) == [
        "own code has 90% of the samples that compute (400; an instruction also has those of one "
        "that it waits for)",
        "60% in line 3 `y[i] = x;`: mov 50%",
    ]


def test_what_was_not_timed_is_null_and_what_is_infinite_is_valid_json() -> None:
    made = samples.candidate()
    wrong = samples.workload_result("default", None)
    assert wrong.correctness is not None
    endless = wrong.correctness.model_copy(update={"max_abs_error": float("inf")})
    verdict = samples.evaluation(
        made,
        status=Status.INCORRECT_NUMERICAL,
        workloads=(wrong.model_copy(update={"correctness": endless}),),
    )
    document = verdict_document(samples.task(), made, verdict)
    assert document["timing"] is None and document["speedup"] is None
    assert document["accepted"] is False
    text = json.dumps(document, allow_nan=False)
    assert json.loads(text)["correctness"]["default"]["max_abs_error"] is None


@pytest.mark.parametrize(
    ("status", "reason", "hint"),
    [
        (Status.COMPILE_ERROR, "main.cpp:3:1: error: expected ';'", "with the same compiler"),
        (Status.COMPILE_ERROR, "SyntaxError: invalid syntax\n  line 2", "Python cannot read it"),
        (Status.RUNTIME_ERROR, "IndentationError: unexpected indent", "Python cannot read it"),
        (Status.RUNTIME_ERROR, "RuntimeError: SyntaxError", "call ModelNew"),
    ],
)
def test_python_errors_get_no_hint_about_compilers(status: Status, reason: str, hint: str) -> None:
    verdict = samples.evaluation(samples.candidate(), status=status, reason=reason)
    (advice,) = explanation(verdict)
    assert hint in advice


def test_a_verdict_of_another_candidate_is_refused() -> None:
    verdict = samples.evaluation(samples.candidate())
    with pytest.raises(ValueError, match="another"):
        verdict_document(samples.task(), samples.candidate("other"), verdict)


def test_a_win_gives_five_files_that_read_back(tmp_path: Path) -> None:
    files = write_result(tmp_path / "out", samples.run(), story.improved_task())
    assert files.candidate == tmp_path / "out" / "36_RMSNorm_optimized.py"
    assert files.candidate.read_text() == samples.OPTIMIZED
    assert files.report.read_text().startswith("<!doctype html>")
    document = read_result(tmp_path / "out")
    assert document.status == "improved"
    assert document.candidate and document.candidate.file == files.candidate.name
    assert document.verdict and list(document.verdict) == KEYS
    assert document.ordinary == samples.ordinary_run()
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "36_RMSNorm_optimized.py",
        "36_RMSNorm_reference.py",
        "report.html",
        "reproduce.py",
        "result.json",
    ]
    assert (tmp_path / "out" / "36_RMSNorm_reference.py").read_text() == samples.REFERENCE
    script = (tmp_path / "out" / "reproduce.py").read_text()
    assert "says 2.31× (2.26–2.36×) under the judge's conditions, and for a run like this" in script


def test_a_later_result_replaces_an_earlier_one(tmp_path: Path) -> None:
    write_result(tmp_path, samples.run(), story.improved_task())
    (tmp_path / "mine.py").write_text("kept")
    assert (tmp_path / "reproduce.py").exists()
    files = write_result(tmp_path, samples.run(), story.unlucky_task())
    assert files.candidate is None
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names == ["mine.py", "report.html", "result.json"]
    assert read_result(tmp_path).status == "no_improvement"


def test_an_infrastructure_error_is_a_result_too(tmp_path: Path) -> None:
    write_result(tmp_path, samples.run(), story.broken_task())
    document = read_result(tmp_path)
    assert (document.error, document.candidate, document.verdict) == (
        "no worker answered",
        None,
        None,
    )


def test_a_task_without_answer_has_no_result(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no answer"):
        write_result(tmp_path / "out", samples.run(), story.everything()[3])
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("content", ["{}", '{"schema_version": 0}', '{"schema_version": 99}', "x"])
def test_results_of_other_versions_are_refused(tmp_path: Path, content: str) -> None:
    (tmp_path / "result.json").write_text(content)
    with pytest.raises(UsageError, match="reads version 1") as caught:
        read_result(tmp_path)
    assert caught.value.hint


def test_a_missing_or_changed_result_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no result in"):
        read_result(tmp_path)
    (tmp_path / "result.json").write_text('{"schema_version": 1, "run_id": 3}')
    with pytest.raises(UsageError, match="not a result file"):
        read_result(tmp_path)


@pytest.mark.parametrize("below", ["file/out", "file"])
def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path, below: str) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(PrerequisiteError, match="cannot write to") as caught:
        write_result(tmp_path / below, samples.run(), story.improved_task())
    assert "can be written" in str(caught.value.hint)


def test_a_full_disk_leaves_the_earlier_result(tmp_path: Path) -> None:
    write_result(tmp_path, samples.run(), story.broken_task())
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    script = (
        "import resource, sys, pathlib; resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))\n"
        "from kernelwright.errors import PrerequisiteError\n"
        "from kernelwright.report.result import write_result\n"
        "from tests.report import story; from tests.store import samples\n"
        "try: write_result(pathlib.Path(sys.argv[1]), samples.run(), story.improved_task())\n"
        "except PrerequisiteError as error: print(error.hint)"
    )
    path = f"{ROOT / 'src'}{os.pathsep}{ROOT}"
    done = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path)],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": path, "PYTHONDONTWRITEBYTECODE": "1"},
    )
    assert done.stdout == "free some disk space\n", done.stderr
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_file_names_are_plain() -> None:
    assert candidate_file_name("kernelbench/36_RMSNorm_") == "36_RMSNorm_optimized.py"
    assert candidate_file_name("../../etc/a b;c") == "a_b_c_optimized.py"
    assert candidate_file_name("mine/..") == "task_optimized.py"


def test_records_come_from_the_store(tmp_path: Path) -> None:
    with open_store(tmp_path / "store.db") as store:
        store.add_run(samples.run())
        store.add_task(samples.RUN_ID, samples.task())
        assert store.task_record(samples.run(), samples.task().id).result is None
        store.add_attempt(samples.attempt())
        store.add_model_call(samples.RUN_ID, samples.task().id, samples.call())
        store.add_task_result(samples.RUN_ID, samples.improved())
        [found] = store.task_records(samples.run())
    assert found.best == samples.candidate()
    assert (len(found.attempts), len(found.calls)) == (1, 1)
