"""The `offline` proposer: kernel library and torch.compile, searched with Optuna.

It proposes real candidates from (1) the library kernels that fit the reference's traced graph, with
their tunables, and (2) torch.compile configurations. Which comes next is chosen by Optuna's TPE
sampler from the measured evaluations. No model, no key, no network.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from kernelwright.agents.offline.emit import (
    Design,
    compiled_candidate,
    design,
    forward_arguments,
    library_candidate,
)
from kernelwright.agents.offline.graph import Graph
from kernelwright.agents.proposer import Idea, View
from kernelwright.agents.search import eager_speedup
from kernelwright.prompts.libraries import LIBRARIES
from kernelwright.schema import Attempt, Candidate, Origin, Scalar, Task, Usage
from kernelwright.tasks.constants import replace_constants

if TYPE_CHECKING:
    import optuna

APPROACH = "approach"
INDUCTOR = "inductor"
# Approaches that take a design of library kernels.
DESIGNED = {"library": LIBRARIES["cpp"], "triton": LIBRARIES["triton"], "cuda": LIBRARIES["cuda"]}
# torch.compile settings that change CPU code and keep its meaning.
INDUCTOR_SPACE: dict[str, tuple[Scalar, ...]] = {
    "inductor.mode": ("default", "max-autotune-no-cudagraphs"),
    "inductor.freezing": (False, True),
    "inductor.cpp.min_chunk_size": (512, 4096),
}
MAX_DUPLICATES = 40


class OfflineProposer:
    """Proposes for one task.

    Args:
        trace: gives the reference's graph; asked once, at the first plan.
        seed: of the sampler; the same history and seed propose the same.
    """

    name = "offline"

    def __init__(self, task: Task, trace: Callable[[], Graph | None], seed: int) -> None:
        self._source = replace_constants(task.source, task.overrides)
        self._trace = trace
        self._seed = seed
        self._designs: dict[str, Design] = {}
        self._study: optuna.Study | None = None
        self._asked: dict[str, optuna.trial.Trial] = {}
        self._told = 0

    def plan(self, view: View) -> Idea | None:
        """The next point of the space that gives a file nobody has tried."""
        study = self._open(view)
        if study is None:
            return None
        self._tell(study, view.attempts, view.backends)
        seen = {a.candidate.hash for a in view.attempts if a.candidate}
        for _ in range(MAX_DUPLICATES):
            trial = study.ask()
            parameters = self._sample(trial, view.backends)
            candidate = self._candidate(parameters, view)
            if candidate.hash not in seen:
                self._asked[candidate.hash] = trial
                text = candidate.origin.description
                return Idea(text=text, backend=candidate.backend, parameters=parameters)
            study.tell(trial, state=_failed())
        return None

    def code(self, view: View, idea: Idea) -> Candidate | None:
        """The file of a point."""
        self._open(view)  # the plan may be one of an interrupted run
        return self._candidate(idea.parameters, view)

    def diagnose(self, view: View) -> str:
        """The sampler reads the numbers themselves; this line is for the reader of the trail."""
        last = view.last
        if last is None or last.evaluation is None:
            return ""
        speedup = eager_speedup(last)
        if speedup is None:
            return f"{last.plan}: {last.evaluation.reason}"
        return f"{last.plan}: {speedup:.2f}x eager"

    def take_usage(self) -> Usage:
        """Nothing is ever used."""
        return Usage.zero()

    def _open(self, view: View) -> optuna.Study | None:
        if self._study is None:
            self._design(view.backends)
            if self._approaches(view.backends):
                self._study = self._new_study(view.backends)
        return self._study

    def _design(self, backends: tuple[str, ...]) -> None:
        wanted = {name: given for name, given in DESIGNED.items() if given.backend in backends}
        graph = self._trace() if wanted else None
        arguments = forward_arguments(self._source)
        if graph is None or arguments is None:
            return
        found = {name: design(graph, arguments, library) for name, library in wanted.items()}
        self._designs = {name: plan for name, plan in found.items() if plan is not None}

    def _approaches(self, backends: tuple[str, ...]) -> list[str]:
        designed = [name for name in self._designs if DESIGNED[name].backend in backends]
        return designed + ([INDUCTOR] if "inductor" in backends else [])

    def _new_study(self, backends: tuple[str, ...]) -> optuna.Study:
        import optuna

        optuna.logging.set_verbosity(optuna.logging.WARNING)
        sampler = optuna.samplers.TPESampler(seed=self._seed, n_startup_trials=4)
        study = optuna.create_study(direction="maximize", sampler=sampler)
        for approach in self._approaches(backends):
            first = {name: values[0] for name, values in self._space(approach).items()}
            study.enqueue_trial({APPROACH: approach, **first})
        return study

    def _space(self, approach: str) -> dict[str, tuple[Scalar, ...]]:
        if approach == INDUCTOR:
            return INDUCTOR_SPACE
        return dict(self._designs[approach].tunables())

    def _sample(self, trial: optuna.trial.Trial, backends: tuple[str, ...]) -> dict[str, Scalar]:
        approach = trial.suggest_categorical(APPROACH, self._approaches(backends))
        space = self._space(approach)
        chosen: dict[str, Scalar] = {APPROACH: str(approach)}
        for name, values in space.items():
            value = trial.suggest_categorical(name, values)
            assert value is not None
            chosen[name] = value
        return chosen

    def _tell(
        self, study: optuna.Study, attempts: tuple[Attempt, ...], backends: tuple[str, ...]
    ) -> None:
        for attempt in attempts[self._told :]:
            if attempt.candidate is None or attempt.candidate.origin.kind != "offline":
                continue
            trial = self._asked.pop(attempt.candidate.hash, None)
            value = eager_speedup(attempt)
            if trial is None:
                self._retell(study, attempt.candidate, value, backends)
            elif value is None:
                study.tell(trial, state=_failed())
            else:
                study.tell(trial, value)
        self._told = len(attempts)

    def _retell(
        self,
        study: optuna.Study,
        candidate: Candidate,
        value: float | None,
        backends: tuple[str, ...],
    ) -> None:
        """Teach an attempt of an earlier, interrupted run."""
        import optuna

        parameters: dict[str, Any] = candidate.origin.parameters
        approaches = self._approaches(backends)
        if parameters[APPROACH] not in approaches:
            return
        space = {APPROACH: tuple(approaches), **self._space(str(parameters[APPROACH]))}
        study.add_trial(
            optuna.trial.create_trial(
                params=dict(parameters),
                distributions={
                    name: optuna.distributions.CategoricalDistribution(values)
                    for name, values in space.items()
                },
                value=value,
                state=optuna.trial.TrialState.COMPLETE if value is not None else _failed(),
            )
        )

    def _candidate(self, parameters: dict[str, Scalar], view: View) -> Candidate:
        approach = str(parameters[APPROACH])
        settings = {name: value for name, value in parameters.items() if name != APPROACH}
        plan = self._designs.get(approach)
        title, source = self._designed(plan, settings) if plan else self._compiled(settings)
        return Candidate(
            source=source,
            backend=plan.library.backend if plan else INDUCTOR,
            parents=(),
            origin=Origin(
                kind="offline", strategy=approach, description=title, parameters=parameters
            ),
        )

    def _designed(self, plan: Design, settings: dict[str, Scalar]) -> tuple[str, str]:
        names = [*plan.kernels, *(part.name for part in plan.parts)]
        tuned = ", ".join(f"{name}={value}" for name, value in settings.items())
        title = f"{plan.library.title}: {', '.join(names)}" + (f" ({tuned})" if tuned else "")
        return title, library_candidate(self._source, title, plan, settings)

    def _compiled(self, settings: dict[str, Scalar]) -> tuple[str, str]:
        plain = {name.removeprefix("inductor."): value for name, value in settings.items()}
        mode = plain.pop("mode")
        options = {name: value for name, value in plain.items() if value not in (False, 512)}
        if mode == "max-autotune-no-cudagraphs":
            options["max_autotune"] = True  # torch.compile takes a mode or options, not both
        words = ", ".join(f"{name}={value}" for name, value in options.items()) or "defaults"
        title = f"torch.compile configuration: {words}"
        arguments = {"options": options} if options else {}
        return title, compiled_candidate(self._source, title, arguments)


def _failed() -> optuna.trial.TrialState:
    import optuna

    return optuna.trial.TrialState.FAIL
