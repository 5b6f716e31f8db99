from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import ValidationError

from kernelwright.errors import StoreError, UsageError
from kernelwright.schema import Attempt, Move, Status, Usage
from kernelwright.store.results import Lost, TaskResult
from kernelwright.store.store import Store, open_store
from tests.store import samples


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with open_store(tmp_path / "deep" / "store.db") as opened:
        opened.add_run(samples.run())
        opened.add_task(samples.RUN_ID, samples.task())
        yield opened


def test_a_run_comes_back_as_it_went_in(store: Store) -> None:
    assert store.get_run(samples.RUN_ID) == samples.run()
    assert store.get_run(samples.RUN_ID[:9]) == samples.run()


def test_unknown_and_ambiguous_runs_are_named(store: Store) -> None:
    store.add_run(samples.run("20260901-111111-ffffff"))
    with pytest.raises(UsageError) as several:
        store.get_run("20260901")
    assert samples.RUN_ID in str(several.value.hint)
    with pytest.raises(UsageError) as unknown:
        store.get_run("20260901-101500-a1b2c4")
    assert f"did you mean {samples.RUN_ID!r}" in str(unknown.value.hint)
    for never in ("%", "_", ""):
        with pytest.raises(UsageError, match="unknown run"):
            store.get_run(never)


def test_an_id_that_starts_another_is_still_found(store: Store) -> None:
    longer = samples.run(samples.RUN_ID + "-2")
    store.add_run(longer)
    assert store.get_run(samples.RUN_ID) == samples.run()


def test_runs_are_listed_newest_first(store: Store) -> None:
    for age in range(1, 4):
        store.add_run(samples.run(f"old-{age}", started=samples.T0 - age))
    assert [run.id for run in store.list_runs(limit=2)] == [samples.RUN_ID, "old-1"]
    assert len(store.list_runs(limit=None)) == 4


def test_finishing_a_run_keeps_what_is_not_given(store: Store) -> None:
    used = Usage(input_tokens=5, output_tokens=6, cost_usd=None)
    store.update_run(samples.RUN_ID, status="interrupted", ended=samples.T0 + 1, usage=used)
    store.update_run(samples.RUN_ID, status="running")
    run = store.get_run(samples.RUN_ID)
    assert (run.status, run.ended, run.usage) == ("running", None, used)
    with pytest.raises(StoreError, match="not stored"):
        store.update_run("nobody", status="done")


def test_outcomes_name_every_task_of_a_run(store: Store) -> None:
    store.add_task(samples.RUN_ID, samples.task("made/waiting"))
    store.add_task_result(samples.RUN_ID, samples.improved())
    assert store.outcomes_of(samples.RUN_ID) == [
        (samples.task().id, "improved", pytest.approx(2.31)),
        ("made/waiting", None, None),
    ]
    assert store.outcomes_of("nobody") == []


def test_a_run_id_is_taken_once(store: Store) -> None:
    with pytest.raises(StoreError, match="there already"):
        store.add_run(samples.run(started=1.0))
    assert store.get_run(samples.RUN_ID) == samples.run()


def test_task_content_is_shared_and_may_not_change_within_a_run(store: Store) -> None:
    store.add_run(samples.run("second"))
    for run_id in (samples.RUN_ID, "second"):
        store.add_task(run_id, samples.task())
        assert store.tasks_of(run_id) == [samples.task()]
    with pytest.raises(UsageError, match="has changed"):
        store.add_task("second", samples.task(source="another = 1"))


def test_tasks_of_equal_hash_keep_their_own_id_and_category(store: Store) -> None:
    twin = samples.task("mine/twin", category=None)
    assert twin.hash == samples.task().hash
    store.add_task(samples.RUN_ID, twin)
    assert store.tasks_of(samples.RUN_ID) == [samples.task(), twin]


def test_a_task_record_holds_calls_and_attempts_in_order(store: Store) -> None:
    attempts = [samples.attempt(index) for index in (1, 0, 2)]
    attempts.append(samples.attempt(3, error="sandbox did not start"))
    for attempt in attempts:
        store.add_attempt(attempt)
    calls = [samples.call("first"), samples.call(None, error="overloaded")]
    for call in calls:
        store.add_model_call(samples.RUN_ID, samples.task().id, call)
    found = store.task_record(samples.run(), samples.task().id)
    assert [attempt.index for attempt in found.attempts] == [0, 1, 2, 3]
    assert sorted(attempts, key=lambda one: one.index) == list(found.attempts)
    assert list(found.calls) == calls
    with pytest.raises(UsageError, match="no task"):
        store.task_record(samples.run(), "kernelbench/other")


def test_the_same_attempt_again_is_fine_and_another_is_refused(store: Store) -> None:
    store.add_attempt(samples.attempt())
    store.add_attempt(samples.attempt())
    with pytest.raises(StoreError, match="other content"):
        store.add_attempt(samples.attempt(plan="something else"))
    assert store.attempts_of(samples.RUN_ID) == [samples.attempt()]


def test_a_dropped_attempt_and_its_move_are_kept(store: Store) -> None:
    move = Move(operator="combine", parent=3, others=(1, 2), direction="tiles", island=1)
    dropped = samples.attempt(4, dropped="no usable answer", move=move)
    store.add_attempt(dropped)
    assert store.attempts_of(samples.RUN_ID) == [dropped]
    for changes in ({"dropped": "x", "error": "y"}, {"evaluation": None}):
        with pytest.raises(ValueError, match="exactly one"):
            samples.attempt(5, **changes)


def test_an_attempt_needs_its_run_and_task(store: Store) -> None:
    with pytest.raises(StoreError, match="not stored"):
        store.add_attempt(samples.attempt(task_id="kernelbench/other"))
    with pytest.raises(StoreError, match="not stored"):
        store.add_model_call("no-run", samples.task().id, samples.call())


def test_a_journaled_request_is_lost_until_it_is_answered(store: Store) -> None:
    place = (samples.RUN_ID, samples.task().id, 0, "key")
    worst = Usage(input_tokens=9, output_tokens=9, cost_usd=0.5)
    assert store.answer_to(*place) is None
    for sent in (1, 2):
        store.journal(*place, samples.task(), (), worst)
        assert store.lost_usage(samples.RUN_ID) == [Lost(0, worst)] * sent
    assert store.answer_to(*place) is None
    call = samples.call("first")
    store.settle(*place, '{"text": "first"}', call)
    assert store.answer_to(*place) == '{"text": "first"}'
    assert store.lost_usage(samples.RUN_ID) == [Lost(0, worst)]  # the first sending
    assert store.lost_usage(samples.RUN_ID, samples.task().id) == [Lost(0, worst)]
    assert store.lost_usage(samples.RUN_ID, "another/task") == []
    assert store.model_calls_of(samples.RUN_ID) == [call]
    assert store.answer_to(samples.RUN_ID, samples.task().id, 1, "key") is None


def test_an_answer_and_its_call_are_stored_together_or_not_at_all(store: Store) -> None:
    place = (samples.RUN_ID, "kernelbench/other", 0, "key")
    with pytest.raises(StoreError):
        store.settle(*place, "answer", samples.call("first"))
    assert store.answer_to(*place) is None


def test_tool_steps_of_attempts_are_kept_in_order(store: Store) -> None:
    task = samples.task().id
    steps = [samples.tool_step(call=call, result=f"result {call}") for call in range(3)]
    for attempt, key, step in ((4, "b", steps[0]), (0, "b", steps[1]), (4, "a", steps[2])):
        assert store.tool_step(samples.RUN_ID, task, attempt, key) is None
        assert store.add_tool_step(samples.RUN_ID, task, attempt, key, step) == step
        assert store.tool_step(samples.RUN_ID, task, attempt, key) == step
    found = {4: [steps[0], steps[2]], 0: [steps[1]]}
    assert store.tool_steps_of(samples.RUN_ID, task) == found
    assert store.task_record(samples.run(), task).tool_steps == found
    assert store.tool_steps_of(samples.RUN_ID, "kernelbench/other") == {}


def test_the_first_of_two_equal_tool_calls_is_kept(store: Store) -> None:
    place = (samples.RUN_ID, samples.task().id, 0, "key")
    first, second = samples.tool_step(seconds=1.0), samples.tool_step(seconds=2.0)
    assert store.add_tool_step(*place, first) == first
    with open_store(store.location) as other:
        assert other.add_tool_step(*place, second) == first
    assert store.tool_steps_of(samples.RUN_ID, samples.task().id) == {0: [first]}


def test_a_tool_step_needs_its_run_and_task(store: Store) -> None:
    with pytest.raises(StoreError, match="not stored"):
        store.add_tool_step(samples.RUN_ID, "kernelbench/other", 0, "key", samples.tool_step())


def test_a_hint_is_given_to_one_attempt(store: Store) -> None:
    place = (samples.RUN_ID, samples.task().id)
    assert store.take_hints(*place, 0) == []
    store.add_hint(*place, "first")
    assert store.take_hints(*place, 2) == ["first"]
    store.add_hint(*place, "second")
    assert store.take_hints(*place, 2) == ["first", "second"]  # chosen again after a crash
    assert store.take_hints(*place, 1) == ["first", "second"]  # chosen again, another way
    assert store.take_hints(*place, 3) == []


def test_infinite_errors_survive(store: Store) -> None:
    made = samples.candidate()
    result = samples.workload_result("default", None)
    assert result.correctness is not None
    wide = result.correctness.model_copy(update={"max_abs_error": float("inf")})
    verdict = samples.evaluation(
        made,
        status=Status.INCORRECT_NUMERICAL,
        workloads=(result.model_copy(update={"correctness": wide}),),
    )
    store.add_attempt(samples.attempt(evaluation=verdict))
    assert store.attempts_of(samples.RUN_ID)[0].evaluation == verdict


def test_evaluations_are_cached_by_key(store: Store) -> None:
    made = samples.candidate()
    assert store.cached_evaluation("key") is None
    for eager in (2.0, 3.0):
        store.cache_evaluation("key", samples.evaluation(made, eager))
        assert store.cached_evaluation("key") == samples.evaluation(made, eager)
    assert store.cached_evaluation("key2") is None


def test_an_answer_replaces_the_earlier_one(store: Store) -> None:
    failed = TaskResult(task_id=samples.task().id, status="error", error="no device")
    for result in (failed, samples.improved()):
        store.add_task_result(samples.RUN_ID, result)
        assert store.task_results_of(samples.RUN_ID) == [result]


def test_answers_that_contradict_themselves_cannot_be_made() -> None:
    made = samples.candidate()
    slow = samples.evaluation(made, 1.01)
    contradictions: list[dict[str, object]] = [
        {"status": "error"},
        {"status": "unusable"},
        {"status": "not_decided", "candidate_hash": made.hash, "evaluation": slow},
        {"status": "no_improvement", "error": "no device"},
        {"status": "improved"},
        {"status": "improved", "candidate_hash": made.hash, "evaluation": slow},
        {"status": "no_improvement", "candidate_hash": "other", "evaluation": slow},
    ]
    for fields in contradictions:
        with pytest.raises(ValidationError):
            TaskResult.model_validate({"task_id": "a/b", **fields})


def test_progress_lines_are_read_from_a_number_on(store: Store) -> None:
    for text in ("started", "attempt 0", "done"):
        store.add_event(samples.RUN_ID, text)
    assert [event.text for event in store.events_of(samples.RUN_ID, start=1)] == [
        "attempt 0",
        "done",
    ]


def test_threads_share_a_store(store: Store) -> None:
    def write(first: int) -> None:
        for index in range(first, first + 10):
            store.add_attempt(samples.attempt(index))
            store.add_event(samples.RUN_ID, f"attempt {index}")

    threads = [threading.Thread(target=write, args=(10 * n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [one.index for one in store.attempts_of(samples.RUN_ID)] == list(range(40))
    assert [one.number for one in store.events_of(samples.RUN_ID)] == list(range(40))


def test_the_cost_of_an_attempt_does_not_grow(store: Store) -> None:
    """Check that an attempt after ten thousand others costs about as much as the first ones."""

    def seconds_each(attempts: list[Attempt]) -> float:
        costs = []
        for attempt in attempts:
            start = time.perf_counter()
            store.add_attempt(attempt)
            costs.append(time.perf_counter() - start)
        return sorted(costs)[len(costs) // 2]

    early = seconds_each([samples.attempt(index) for index in range(20)])
    _fill(store, range(20, 10_000))
    late = seconds_each([samples.attempt(index) for index in range(10_000, 10_020)])
    assert late < 5 * early + 0.005


def _fill(store: Store, indices: range) -> None:
    from sqlalchemy import insert

    from kernelwright.store import rows, tables

    row = rows.attempt_row(samples.attempt())
    with store._database.writing() as connection:
        connection.execute(insert(tables.attempts), [{**row, "position": n} for n in indices])
