"""`kernelwright.verify`: the verdict on a candidate. It needs neither langgraph nor a database."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from kernelwright.cli.verify import known_level, read_candidate
from kernelwright.executors.local import LocalExecutor
from kernelwright.live.settings import settings_of
from kernelwright.schema import Criteria, Evaluation, EvaluationJob, Size
from kernelwright.tasks.loader import load_task


def verify(
    task: str | Path,
    candidate: str | Path,
    level: str = "standard",
    *,
    overrides: Mapping[str, Size] | None = None,
    **settings: Any,
) -> Evaluation:
    """Return the verdict on a candidate file: right or wrong, how fast, and what is suspicious.

    Args:
        task: the path of a task file, or an id of the library.
        candidate: the path of a file with class `ModelNew`.
        level: fast, standard or strict.
        overrides: values for the task's size constants, as --set of the command.
        settings: any setting, under its name: sandbox, tolerance, policy, uses, threads, ...

    Raises:
        UsageError: the task, the file, the level or a setting is not valid.
        PrerequisiteError: this machine lacks something.
        InfrastructureError: a part of the system failed, not the candidate.
    """
    chosen = settings_of("verify", settings)
    job = EvaluationJob(
        task=load_task(str(task), overrides, chosen.tolerance),
        candidate=read_candidate(Path(candidate)),
        level=known_level(level),
        criteria=Criteria(policy=chosen.policy, uses=chosen.uses),
        machine=chosen.machine,
    )
    with LocalExecutor(chosen.cache_dir) as executor:
        return executor.evaluate(job)
