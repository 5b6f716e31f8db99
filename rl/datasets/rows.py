"""The rows of each export format; the columns are the same in every row of a format.

Data of varying shape goes into one column of JSON text, which every loader keeps as it is. Names
that TRL's trainers reserve (`completions`, `environment`, `tools`) are not used.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import product
from typing import Any

from kernelwright.rl.datasets.conversations import Messages, answer, instruction, stored_prompt
from kernelwright.rl.rewards import RewardFunction
from kernelwright.schema import Evaluation, Record, Speedup, Status
from kernelwright.store.records import Evaluated, TaskRecord

Row = dict[str, Any]


def sft_rows(record: TaskRecord, _reward: RewardFunction) -> Iterator[Row]:
    """Yield proven wins as conversations that end with the candidate's file."""
    for found in record.evaluated():
        final = found.strict
        if final is None or final.gain is None or not found.is_proven_win:
            continue
        prompt = stored_prompt(found.attempt, record.calls) or instruction(record.task)
        yield {
            "messages": prompt + answer(found.attempt),
            **_place(record),
            "candidate_hash": found.candidate.hash,
            "backend": found.candidate.backend,
            "origin": found.candidate.origin.kind,
            "speedup": final.gain.speedup.median,
            "speedup_low": final.gain.speedup.ci95[0],
        }


def grpo_rows(record: TaskRecord, _reward: RewardFunction) -> Iterator[Row]:
    """Yield one prompt if the task's reference is known to run; the rest is for the reward."""
    verdicts = [found.verdict.status for found in record.evaluated()]
    if any(status is not Status.INVALID_REFERENCE for status in verdicts):
        yield {
            "prompt": instruction(record.task),
            "task_id": record.task.id,
            "task_hash": record.task.hash,
            "reference": record.task.source,
            "task": as_json(record.task),
        }


def preference_rows(record: TaskRecord, _reward: RewardFunction) -> Iterator[Row]:
    """Yield pairs of a proven win and a candidate that is certainly worse."""
    evaluated = record.evaluated()
    winners = [found for found in evaluated if found.is_proven_win]
    for chosen, rejected in product(winners, evaluated):
        if chosen is rejected or not is_certainly_better(chosen.verdict, rejected.verdict):
            continue
        yield {
            "prompt": _shared_prompt(record, chosen, rejected),
            "chosen": answer(chosen.attempt),
            "rejected": answer(rejected.attempt),
            **_place(record),
            "chosen_hash": chosen.candidate.hash,
            "rejected_hash": rejected.candidate.hash,
            "rejected_status": rejected.verdict.status.value,
        }


def attempt_rows(record: TaskRecord, reward: RewardFunction) -> Iterator[Row]:
    """Yield every attempt; infrastructure errors and dropped ones have null as their reward."""
    for attempt in record.attempts:
        scored = reward(attempt)
        yield {
            **_place(record),
            "index": attempt.index,
            **_verdict_columns(attempt.evaluation),
            "error": attempt.error,
            "dropped": attempt.dropped,
            "candidate_hash": attempt.candidate.hash if attempt.candidate else None,
            "candidate": as_json(attempt.candidate),
            "evaluation": as_json(attempt.evaluation),
            "reward": scored.total,
            "reward_function": scored.function,
            "reward_version": scored.version,
            "reward_parts": json.dumps(scored.parts),
            "plan": attempt.plan,
            "input_tokens": attempt.usage.input_tokens,
            "output_tokens": attempt.usage.output_tokens,
            "cost_usd": attempt.usage.cost_usd,
            "started": attempt.span.started,
            "ended": attempt.span.ended,
            "git_commit": record.run.git_commit,
            "packages": json.dumps(record.run.packages, sort_keys=True),
        }


def is_certainly_better(chosen: Evaluation, rejected: Evaluation) -> bool:
    """Whether `chosen`, which is proven, certainly beats `rejected`.

    A wrong or refused candidate is worse. An accepted one is worse only when both were measured in
    one environment, undisturbed, and their intervals, as wide as the level of each makes them, do
    not overlap. A broken reference or a missing time says nothing.
    """
    if rejected.status is Status.INVALID_REFERENCE:
        return False
    if not rejected.accepted:
        return True
    left, right = chosen.gain, rejected.gain
    if left is None or right is None or chosen.environment != rejected.environment:
        return False
    quiet = not chosen.was_disturbed and not rejected.was_disturbed
    return quiet and chosen.accepted and _above(left.speedup, right.speedup)


def as_json(noun: Record | None) -> str | None:
    """Return a noun as JSON text; None stays None."""
    return None if noun is None else noun.model_dump_json()


def _above(left: Speedup, right: Speedup) -> bool:
    return left.ci95[0] > right.ci95[1]


def _shared_prompt(record: TaskRecord, chosen: Evaluated, rejected: Evaluated) -> Messages:
    """Return the prompt of both: the stored one if it was the same, else the instruction."""
    prompts = [stored_prompt(one.attempt, record.calls) for one in (chosen, rejected)]
    if prompts[0] is not None and prompts[0] == prompts[1]:
        return prompts[0]
    return instruction(record.task)


def _place(record: TaskRecord) -> Row:
    task = record.task
    return {"run_id": record.run.id, "task_id": task.id, "task_hash": task.hash}


def _verdict_columns(verdict: Evaluation | None) -> Row:
    flags = [flag.model_dump() for flag in verdict.flags] if verdict else []
    return {
        "status": verdict.status.value if verdict else None,
        "accepted": verdict.accepted if verdict else None,
        "level": verdict.level if verdict else None,
        "tolerance": verdict.tolerance if verdict else None,
        "backend": verdict.backend if verdict else None,
        "flags": json.dumps(flags),
        **_speedup_columns(verdict, "eager"),
        **_speedup_columns(verdict, "compile"),
        "sandbox": verdict.sandbox.kind if verdict else None,
        "worker_version": verdict.worker_version if verdict else None,
    }


def _speedup_columns(verdict: Evaluation | None, baseline: str) -> Row:
    found: Speedup | None = verdict.speedup.get(baseline) if verdict else None
    name = f"speedup_{baseline}"
    return {
        name: found.median if found else None,
        f"{name}_low": found.ci95[0] if found else None,
        f"{name}_high": found.ci95[1] if found else None,
    }
