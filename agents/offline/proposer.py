"""The `offline` proposer: kernel library and torch.compile, searched with Optuna.

It proposes real candidates from (1) the library kernels that fit the reference's traced graph, with
their tunables, and (2) torch.compile configurations. Which comes next is chosen by Optuna's TPE
sampler from the measured evaluations. No model, no key, no network.
"""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from kernelwright.agents.offline.design import RIVALS, Design, NotCoveredError, design
from kernelwright.agents.offline.emit import (
    compiled_candidate,
    forward_arguments,
    library_candidate,
)
from kernelwright.agents.offline.forward_body import Arguments
from kernelwright.agents.offline.graph import Graph
from kernelwright.agents.proposer import Idea, View
from kernelwright.agents.search.ranking import eager_speedup
from kernelwright.agents.tunables import Point, declared
from kernelwright.kernels.catalog import LIBRARIES
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
    "inductor.cpp.min_chunk_size": (512, 4096),
}
MAX_DUPLICATES = 40
# Attempts before other settings of torch.compile are tried than its defaults. They differ by
# percents, and take longest.
FEW = 6
CLEARLY_FASTER = 1.2
LEAVE_OUT = "leave_out"
NOTHING = "nothing"


class OfflineProposer:
    """A proposer for one task.

    Args:
        trace: gives the reference's graph; asked once, at the first plan.
        seed: of the sampler; the same history and seed propose the same.
        note: called with one line on why a library proposes nothing.
    """

    name = "offline"

    def __init__(
        self,
        task: Task,
        trace: Callable[[], Graph | None],
        seed: int,
        note: Callable[[str], None] = lambda _: None,
    ) -> None:
        self._source = replace_constants(task.source, task.overrides)
        self._trace = trace
        self._seed = seed
        self._note = note
        self._designs: dict[str, Design] | None = None
        self._graph: tuple[Graph, Arguments] | None = None
        self._designing = threading.Lock()

    def plan(self, view: View) -> Idea | None:
        """Return the next point of the space that gives a file not tried yet; None without one."""
        seen = {a.candidate.hash for a in view.attempts if a.candidate}
        for parameters in self._points(view):
            try:
                candidate = self._candidate(parameters, view.backends)
            except NotCoveredError:
                continue
            if candidate.hash not in seen:
                text = candidate.origin.description
                return Idea(text=text, backend=candidate.backend, parameters=parameters)
        return None

    def code(self, view: View, idea: Idea) -> Candidate | None:
        """Return the file of a point."""
        return self._candidate(idea.parameters, view.backends)

    def diagnose(self, view: View, attempt: Attempt) -> str:
        """Return an empty text: the sampler reads the numbers themselves."""
        return ""

    def usage(self, index: int) -> Usage:
        """Return zero: nothing is ever used."""
        return Usage.zero()

    def seeds(self, backends: tuple[str, ...]) -> list[Point]:
        """Return the points that a model's search may begin with, the most promising first.

        They are those of the libraries' designs; torch.compile's defaults where there is none.
        """
        compiled = [INDUCTOR] if INDUCTOR in backends else []
        approaches = list(self._designs_for(backends)) or compiled
        found = []
        for point in self._firsts(approaches, backends):
            with suppress(NotCoveredError):
                self._candidate(point, backends)
                found.append(tuple(point.items()))
        return found

    def seed(self, parameters: dict[str, Scalar], backends: tuple[str, ...]) -> Candidate:
        """Return the file of a point, which declares what may be tuned in it.

        Raises:
            NotCoveredError: the point is of a library that fits nothing.
        """
        candidate = self._candidate(parameters, backends)
        plan, source = self._designs_for(backends).get(str(parameters[APPROACH])), candidate.source
        for name, values in plan.tunables().items() if plan else ():
            kernel, _, own = name.partition(".")
            for constant in (own, f"{kernel.upper()}_{own}"):
                source = declared(source, constant, values)
        return candidate.model_copy(update={"source": source})

    def _points(self, view: View) -> Iterator[dict[str, Scalar]]:
        """Yield the chosen points, one an attempt, then the sampler's."""
        if not self._approaches(view):
            return
        chosen = self._chosen(view)
        if view.position < len(chosen):
            yield chosen[view.position]
        study = self._study(view)
        for _ in range(MAX_DUPLICATES):
            trial = study.ask()
            yield self._sample(trial, view)
            study.tell(trial, state=_failed())

    def _chosen(self, view: View) -> list[dict[str, Scalar]]:
        return self._firsts(self._approaches(view), view.backends)

    def _firsts(
        self, approaches: Iterable[str], backends: tuple[str, ...]
    ) -> list[dict[str, Scalar]]:
        """Return the first point of each approach, and where torch has tuned kernels of its own for
        what the library's compute, the point without these.
        """
        found = []
        for approach in approaches:
            space = self._space(approach, backends)
            first: dict[str, Scalar] = {APPROACH: approach, **{n: v[0] for n, v in space.items()}}
            found.append(first)
            rivals = [value for value in space.get(LEAVE_OUT, ()) if value in RIVALS]
            found += [{**first, LEAVE_OUT: rivals[0]}] if rivals else []
        return found

    def _designs_for(self, backends: tuple[str, ...]) -> dict[str, Design]:
        with self._designing:
            if self._designs is None:
                self._designs = self._design(backends)
            return self._designs

    def _design(self, backends: tuple[str, ...]) -> dict[str, Design]:
        wanted = {name: given for name, given in DESIGNED.items() if given.backend in backends}
        graph = self._trace() if wanted else None
        arguments = forward_arguments(self._source)
        if graph is None:
            return {}
        if arguments is None:
            self._note("no kernels: the reference's forward is inherited")
            return {}
        self._graph = graph, arguments
        found: dict[str, Design] = {}
        for name, library in wanted.items():
            try:
                found[name] = design(graph, arguments, library)
            except NotCoveredError as error:
                self._note(f"{name}: {error}")
        return found

    def _approaches(self, view: View) -> list[str]:
        """Return the approaches; torch.compile is none once a kernel is clearly faster than eager.

        It takes longest to try, and the proof times it beside the kernel anyway.
        """
        designs = list(self._designs_for(view.backends))
        wants_inductor = "inductor" in view.backends and not any(map(_is_clear, view.attempts))
        return [*designs, *([INDUCTOR] if wants_inductor else [])]

    def _space(
        self, approach: str, backends: tuple[str, ...], position: int = 0
    ) -> dict[str, tuple[Scalar, ...]]:
        """Return the values of an approach's settings for the attempt at a position."""
        if approach == INDUCTOR:
            few = position < FEW
            return {n: v[:1] if few else v for n, v in INDUCTOR_SPACE.items()}
        plan = self._designs_for(backends)[approach]
        parts = {LEAVE_OUT: (NOTHING, *plan.kinds)} if len(plan.kinds) > 1 else {}
        return {**plan.tunables(), **parts}

    def _study(self, view: View) -> optuna.Study:
        """Return a study that knows all earlier attempts; the same for the same ones."""
        import optuna

        optuna.logging.set_verbosity(optuna.logging.WARNING)
        seed = random.Random(f"{self._seed}/{view.position}").randrange(2**32)
        sampler = optuna.samplers.TPESampler(seed=seed, n_startup_trials=4)
        study = optuna.create_study(direction="maximize", sampler=sampler)
        for attempt in view.attempts:
            if attempt.candidate is not None and attempt.candidate.origin.kind == "offline":
                self._tell(study, attempt, view)
        return study

    def _sample(self, trial: optuna.trial.Trial, view: View) -> dict[str, Scalar]:
        approach = trial.suggest_categorical(APPROACH, self._approaches(view))
        chosen: dict[str, Scalar] = {APPROACH: str(approach)}
        space = self._space(str(approach), view.backends, view.position)
        for name, values in space.items():
            value = trial.suggest_categorical(name, values)
            assert value is not None
            chosen[name] = value
        return chosen

    def _tell(self, study: optuna.Study, attempt: Attempt, view: View) -> None:
        import optuna

        assert attempt.candidate is not None
        parameters: dict[str, Any] = attempt.candidate.origin.parameters
        approaches = self._approaches(view)
        if parameters[APPROACH] not in approaches:
            return
        own = self._space(str(parameters[APPROACH]), view.backends, view.position)
        space = {APPROACH: tuple(approaches), **own}
        if parameters.keys() != space.keys():
            return  # of an earlier version, which had other settings
        value = eager_speedup(attempt)
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

    def _candidate(self, parameters: dict[str, Scalar], backends: tuple[str, ...]) -> Candidate:
        approach = str(parameters[APPROACH])
        if approach != INDUCTOR and approach not in self._designs_for(backends):
            raise NotCoveredError(f"{approach}: nothing fits")
        settings = {name: value for name, value in parameters.items() if name != APPROACH}
        plan = self._designs_for(backends).get(approach)
        without = str(settings.pop(LEAVE_OUT, NOTHING))
        if plan is not None and without != NOTHING and self._graph is not None:
            plan = design(*self._graph, plan.library, without)
            settings = {n: v for n, v in settings.items() if n.partition(".")[0] in plan.kernels}
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


def _is_clear(attempt: Attempt) -> bool:
    found = attempt.evaluation
    if found is None or found.backend == INDUCTOR or not found.accepted or found.gain is None:
        return False
    return found.gain.speedup.ci95[0] > CLEARLY_FASTER


def _failed() -> optuna.trial.TrialState:
    import optuna

    return optuna.trial.TrialState.FAIL
