"""The rules on what a candidate did, in words: its process, its results, its times, its uses.

What measures them imports torch, and reports that only show a rule must not; so the words lie here.
"""

from __future__ import annotations

from kernelwright.verifier.integrity.rule import Rule, RuleId, Severity, rule_row


def advice_rules() -> list[Rule]:
    """Return the rules that kernelguard stands for."""
    return [
        rule_row(
            "advice",
            "kernelguard",
            "suspicious",
            "The kernelguard package matched",
            """A second opinion from rules that another project keeps; the evidence names the rule.
            Matches that it grades low or medium are info.""",
            "H05 H15 H22 H26 H27 H30 H32 H34 H38 H49 H52 H58",
        )
    ]


def runtime_rules() -> list[Rule]:
    """Return the rules on what shows while a candidate runs."""

    def rule(identity: RuleId, severity: Severity, title: str, reason: str, of: str = "") -> Rule:
        return rule_row("runtime", identity, severity, title, reason, of)

    return [
        rule(
            "no-custom-code",
            "refuse",
            "The work is not in the candidate's code",
            """Under the policy `custom`, the stack of the stopped worker is sampled: too few
            samples are in code that was built from the candidate.""",
            "H01 H02 H03 H04 H05 H06 H07 H08",
        ),
        rule(
            "engagement-unknown",
            "refuse",
            "It can't be shown that the candidate's code does the work",
            """Under the policy `custom` that has to be shown: samples of the stopped worker found
            it computing too seldom to say whose code that was.""",
            "H04",
        ),
        rule(
            "torch-does-the-work",
            "info",
            "torch does the work",
            "The same finding under the policy `any`, where it is allowed and labelled.",
            "H01 H02 H07 H08",
        ),
        rule(
            "host-offload",
            "suspicious",
            "Calls on a GPU copy from it to the host",
            """The profiler saw copies from the GPU to the host within calls: work may be done
            there, or the size of something waited for.""",
            "H37",
        ),
        rule(
            "left-its-group",
            "refuse",
            "Processes of it leave its group",
            """A worker is stopped as a group whenever its time is not running. A process with a
            session of its own gets around that, and may live longer than the worker.""",
            "H28 H34 H36 H37 H78",
        ),
        rule(
            "more-cores",
            "refuse",
            "Uses more cores than it was given",
            """Its threads may run on CPUs that it was not given, or it used more processor time per
            second than its own have.""",
            "H36 H37 H44",
        ),
        rule(
            "threads-left",
            "info",
            "Threads stay after the call",
            "More threads than before. OpenMP keeps its team, so this alone says little.",
            "H36",
        ),
        rule(
            "processes-left",
            "suspicious",
            "Processes stay after the call",
            "The worker has children that it was not asked for. They die with it.",
            "H36 H37 H56 H78",
        ),
        rule(
            "settings-changed",
            "suspicious",
            "torch's settings or the environment changed",
            """Flags of torch or environment variables are others than before the candidate was
            loaded.""",
            "H41 H44 H66",
        ),
        rule(
            "files-outside",
            "suspicious",
            "Writes files outside its folder",
            "It holds files outside of its own folder open for writing.",
            "H27 H39 H54 H55 H78",
        ),
        rule(
            "precision-downgrade",
            "suspicious",
            "The error is that of a lower precision",
            """Values pass, but their error against float64 is of the size that a type of fewer
            bits would give, and the reference's is not.""",
            "H20 H66 H68",
        ),
        rule(
            "half-operators",
            "suspicious",
            "Operators in a lower precision than the task's",
            "torch dispatched operators on tensors of fewer bits than the task's own.",
            "H66 H68",
        ),
        rule(
            "not-repeatable",
            "info",
            "The same input gives other bits",
            """Two calls with the same input differ in their bits, within the tolerance. Parallel
            sums do that; so do races.""",
            "H71 H72",
        ),
        rule(
            "state-not-compared",
            "info",
            "State was not compared",
            """The module's buffers could not be matched with the reference's by name, so what a
            call leaves in them is unchecked.""",
            "H69",
        ),
        rule(
            "strides-differ",
            "info",
            "The result's memory layout differs",
            "Values and shape agree, strides don't. A caller that relies on them may notice.",
            "H74",
        ),
    ]


def values_rules() -> list[Rule]:
    """Return the rules on the bytes that come back."""

    def refuse(identity: RuleId, title: str, reason: str, of: str) -> Rule:
        return rule_row("values", identity, "refuse", title, reason, of)

    return [
        refuse(
            "inputs-changed",
            "Changes its inputs",
            "A call left other values in its inputs, and the reference doesn't.",
            "H70",
        ),
        refuse(
            "output-aliases-input",
            "The result shares memory with an input",
            "The reference returns fresh memory; here a change of one changes the other.",
            "H70 H73",
        ),
        refuse(
            "overlapping-output",
            "Outputs overlap in memory",
            "Two outputs, or two elements of one, are the same bytes, and the reference's are not.",
            "H60 H73",
        ),
        refuse(
            "result-overwritten",
            "A later call overwrites an earlier result",
            "A buffer was handed out twice: results that a caller still holds change under it.",
            "H29 H30 H73",
        ),
        refuse(
            "guard-overwritten",
            "Writes outside its tensors",
            "Poisoned memory around an input or output was overwritten.",
            "H21 H71",
        ),
        refuse(
            "address-sanitizer",
            "A memory error in its C++",
            "Rebuilt with AddressSanitizer, at level `strict`, it reads or writes out of bounds.",
            "H21 H71",
        ),
        refuse(
            "gpu-memory-error",
            "A memory error in a kernel on a GPU",
            "Under compute-sanitizer, at level `strict`, it reads or writes where it must not.",
            "H21 H71",
        ),
        refuse(
            "undefined-behaviour",
            "Undefined behaviour in its C++",
            "Rebuilt with UBSan, at level `strict`, it breaks a rule of the language.",
            "H71",
        ),
        rule_row(
            "values",
            "sanitizer-unavailable",
            "info",
            "Memory errors were not looked for",
            "The candidate could not be rebuilt with sanitizers here, so nothing is known.",
            "",
        ),
        rule_row(
            "values",
            "sanitizer-incomplete",
            "info",
            "Memory errors were not looked for to the end",
            """Rebuilt with sanitizers it stopped without a report, took too long or too much
            memory, or failed outside of its own C++.""",
            "",
        ),
    ]


def uses_rules() -> list[Rule]:
    """Return the rules on what a candidate does wherever else its user may call it."""

    def suspicious(identity: RuleId, title: str, reason: str) -> Rule:
        return rule_row("uses", identity, "suspicious", title, reason, "")

    return [
        suspicious(
            "wrong-outside-scope",
            "Silently wrong where the reference works",
            """A use that the task's own inputs don't show (other weights, sizes, numbers, modes)
            gives another value than the reference, without an error, or accepts what the reference
            refuses. With `--uses refuse` it refuses. `--json` lists the uses that were tried.""",
        ),
        suspicious(
            "crashes-outside-scope",
            "Crashes the process, or hangs, where the reference does not",
            """The same, where the process ends or does not answer: its user can't even catch an
            error. With `--uses refuse` it refuses.""",
        ),
        suspicious(
            "renamed-parameters",
            "Parameters or buffers have other names",
            """`load_state_dict` fails with the reference's state dict: names or shapes differ.
            With `--uses refuse` it refuses.""",
        ),
        rule_row(
            "uses",
            "fell-back",
            "refuse",
            "Its guard sent the task's own calls to the original forward",
            """A guarded file runs the original forward outside of its scope, and counts that. In a
            case or a timed call of the task's own workloads the fast path has to run.""",
            "",
        ),
    ]


def physical_rules() -> list[Rule]:
    """Return the rules on times that the machine does not allow."""
    return [
        rule_row(
            "physical",
            "faster-than-memory",
            "refuse",
            "Faster than memory allows",
            """Every output must be written. The call ended before that was possible at twice the
            speed at which this machine's caches were found to copy.""",
            "H11 H12 H19 H26 H27 H47",
        ),
        rule_row(
            "physical",
            "faster-than-arithmetic",
            "suspicious",
            "Faster than the arithmetic allows",
            """The operations that the reference needs take longer at this machine's peak. An
            algorithm with fewer operations would be a reason, so this is no proof.""",
            "H12 H17 H18 H19 H66",
        ),
        rule_row(
            "physical",
            "batched-calls",
            "refuse",
            "A call by itself takes much longer",
            """A caller with one input does not get what was measured in rounds: calls of a round
            were done together, or one did the work of others.""",
            "H29",
        ),
    ]


def statistical_rules() -> list[Rule]:
    """Return the rules on whether the times can be believed."""

    def suspicious(identity: RuleId, title: str, reason: str, of: str) -> Rule:
        return rule_row("statistical", identity, "suspicious", title, reason, of)

    return [
        suspicious(
            "busy-machine",
            "Others used the processor",
            "Too few rounds were quiet. The times are no proof, whatever they say.",
            "H46 H77",
        ),
        suspicious(
            "not-validated",
            "Timing on GPUs is not validated",
            """No GPU has been timed by this project. Results are fetched after the clock, kernels
            in flight run on while the worker stands still, and rounds of one call hide speedups.
            The flag marks every verdict with `--target cuda`.""",
            "",
        ),
        rule_row(
            "statistical",
            "noisy-machine",
            "info",
            "Times scatter widely",
            "The interval stays wide after the time that was set for measuring.",
            "H46",
        ),
        suspicious(
            "clocks-disagree",
            "The worker's clock disagrees",
            "The judge's clock decides; the candidate's process reports another time.",
            "H38 H40 H48",
        ),
        suspicious(
            "not-linear",
            "Time does not grow with the number of calls",
            "Twice the calls should take twice the time. Answers from a store don't.",
            "H27 H29 H30 H45",
        ),
        suspicious(
            "not-reproduced",
            "A fresh worker measured something else",
            "The win did not show again in a new process with new inputs.",
            "H46",
        ),
    ]
