"""Check names and keys before anything heavy is imported, so that a typo is answered at once."""

from __future__ import annotations

from kernelwright.agents.roles import models
from kernelwright.agents.search.strategy import open_strategy
from kernelwright.backends.registry import open_backend
from kernelwright.config import OFFLINE, Settings
from kernelwright.llm.registry import open_model
from kernelwright.sandbox.registry import check_sandbox


def check_names(settings: Settings) -> None:
    """Open the search strategy, the backends and the models that the settings name.

    Raises:
        UsageError: a search strategy, sandbox, backend or model of that name does not exist.
        PrerequisiteError: the model's key is missing.
    """
    open_strategy(settings.search)
    check_sandbox(settings.sandbox)
    for backend in settings.backends:
        open_backend(backend)
    if settings.model != OFFLINE:
        for name in set(models(settings).values()):
            open_model(name)
