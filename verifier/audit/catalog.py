"""The audit's rules as a table; docs/guides/tasks.md shows it."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from kernelwright.verifier.audit import findings
from kernelwright.verifier.audit.findings import Found
from kernelwright.verifier.audit.shortcuts import CONSTANT, INPUT, ROWS, STALE, ZEROS, ShortcutProbe


class AuditRule(NamedTuple):
    """A rule of the audit: what it looks for, and why."""

    id: str
    severity: str
    title: str
    reason: str
    find: Callable[[ShortcutProbe], Found] | None
    """None for what shows when the reference is prepared."""


EITHER = "invalid, warning"
RULES: tuple[AuditRule, ...] = (
    AuditRule(
        "unusable",
        "invalid",
        "It fails",
        "The reference raises, returns no tensor, or needs more time or memory than it may have.",
        None,
    ),
    AuditRule(
        "not-repeatable",
        "invalid",
        "Other values at every call",
        "With the same inputs and torch seed, too: there is nothing to compare with.",
        None,
    ),
    AuditRule(
        "shape-depends-on-data",
        EITHER,
        "Other shapes for other seeds",
        "Of inputs or outputs; a warning where only numbers besides the tensors differ.",
        findings.shapes,
    ),
    AuditRule(
        "not-finite",
        EITHER,
        "NaN or infinite values",
        "They are compared by place only. Invalid where all values are such.",
        findings.nonfinite,
    ),
    AuditRule(
        "fixed-inputs",
        "warning",
        "The same inputs for every seed",
        "Then a stored result is right, except on the inputs that the judge makes itself.",
        findings.fixed_inputs,
    ),
    AuditRule(
        "no-reaction",
        "invalid",
        "The output does not depend on the inputs",
        "A stored result is right.",
        findings.no_reaction,
    ),
    AuditRule(
        ZEROS,
        EITHER,
        "All zeros would be accepted",
        "No work at all would pass for all of it.",
        findings.accepted(ZEROS),
    ),
    AuditRule(
        CONSTANT,
        EITHER,
        "One constant would be accepted",
        "No work at all would pass for all of it.",
        findings.accepted(CONSTANT),
    ),
    AuditRule(
        INPUT,
        EITHER,
        "An input would be accepted",
        "Nothing has to be done. A warning where large inputs of both signs tell (relu, clamp).",
        findings.accepted(INPUT),
    ),
    AuditRule(
        STALE,
        EITHER,
        "The result of other inputs would be accepted",
        "A stored result would pass, on any inputs.",
        findings.accepted(STALE),
    ),
    AuditRule(
        ROWS,
        "warning",
        "Constant along a dimension",
        "One value for a whole row, or one row for all of them, would be accepted.",
        findings.accepted(ROWS),
    ),
    AuditRule(
        "tiny-range",
        "warning",
        "A tiny range of values",
        "Right and wrong differ by little more than what is allowed.",
        findings.tiny_range,
    ),
    AuditRule(
        "draws-random",
        "warning",
        "Draws random numbers",
        "A candidate has to draw the same ones in the same order; a kernel of its own can't.",
        findings.uses_rng,
    ),
    AuditRule(
        "stateful",
        "warning",
        "Calls change its state",
        "A candidate has to change it alike.",
        findings.mutates_state,
    ),
    AuditRule(
        "train-mode",
        "warning",
        "Measured in train mode",
        "Dropout and batch norm compute something else in eval mode. A module is measured in the "
        "mode in which its `__init__` leaves it.",
        findings.train_mode,
    ),
    AuditRule(
        "neutral-weights",
        "warning",
        "Weights that are all zeros or ones",
        "Adding or multiplying by them can be left out without a trace.",
        findings.neutral_weights,
    ),
    AuditRule(
        "overhead-bound",
        "warning",
        "A call is mostly overhead",
        "A speedup would measure how functions are called, not what they compute.",
        findings.overhead,
    ),
    AuditRule(
        "slow",
        "warning",
        "A call takes long",
        "Few measurements fit into the time; `--set` shrinks it.",
        findings.slow,
    ),
    AuditRule(
        "dead-input",
        "warning",
        "An input without effect",
        "What is done with it can be left out.",
        findings.dead_inputs,
    ),
    AuditRule(
        "dead-parameter",
        "warning",
        "A parameter without effect",
        "What is done with it can be left out: a bias before a normalisation, say.",
        findings.dead_parameters,
    ),
)
# Rules that need no more than the reference's values on a few inputs.
QUICK_RULES = tuple(
    rule
    for rule in RULES
    if rule.id
    in ("shape-depends-on-data", "not-finite", "fixed-inputs", "no-reaction")
    + (ZEROS, CONSTANT, INPUT, STALE)
)
