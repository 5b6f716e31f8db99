"""The integrity rules in words."""

from __future__ import annotations

from typing import Literal, NamedTuple

Kind = Literal["static", "advice", "runtime", "physical", "statistical", "values"]
Severity = Literal["info", "suspicious", "refuse"]


class Rule(NamedTuple):
    """One rule."""

    id: str
    kind: Kind
    severity: Severity
    title: str
    reason: str
    """Why it exists: what it sees, and what that may mean."""
    catches: tuple[str, ...] = ()
    """Known cheats by their numbers in the catalogue."""


def _rule(kind: Kind, identity: str, severity: Severity, title: str, reason: str, of: str) -> Rule:
    return Rule(identity, kind, severity, title, " ".join(reason.split()), tuple(of.split()))


def _static() -> list[Rule]:
    def suspicious(identity: str, title: str, reason: str, of: str) -> Rule:
        return _rule("static", identity, "suspicious", title, reason, of)

    return [
        suspicious(
            "monkeypatch",
            "Replaces parts of torch or Python",
            """Assigns to attributes of an imported module, by name, setattr or its dictionary,
            or takes over operators of aten. Judges that compare and time in the candidate's
            own process fall for it; this one doesn't, but a kernel has no reason to do it.""",
            "H16 H38 H39 H49 H50 H52",
        ),
        suspicious(
            "dynamic-code",
            "Runs code that its text doesn't show",
            """exec, eval, compile, decoded or unpickled payloads, imports and attributes whose
            names are put together, dlopen. A reader, and every other static rule, sees
            nothing of it.""",
            "H35 H39 H58",
        ),
        suspicious(
            "frame-walk",
            "Looks at its callers",
            """Stack frames and the garbage collector's lists lead to what the caller holds:
            expected values, or which phase this is. The worker holds no expected values.""",
            "H22 H32",
        ),
        suspicious(
            "process-or-thread",
            "Starts threads or processes",
            """Threads of its own, forks, and programs other than compilers can work outside the
            time that is measured. OpenMP's teams end with the loop and are not meant.""",
            "H10 H34 H36 H37 H56",
        ),
        suspicious(
            "file-or-network",
            "Opens files or connections",
            """Sockets, stored tensors, files opened in `forward` or written outside a build
            folder, /proc and shared memory: ways to fetch an answer, keep one for the next
            run, or forge a result.""",
            "H10 H23 H24 H25 H27 H54 H55 H76 H78",
        ),
        suspicious(
            "memo-by-address",
            "Finds results by address or content",
            """A tensor's address, identity or content as a key, or compared with one that was
            kept, gives back an old result instead of a new one. A packed weight that is found
            by the weight's own address is not meant.""",
            "H09 H26 H27 H30",
        ),
        suspicious(
            "phase-sniffing",
            "Behaves differently when watched",
            """`forward` branches on how often it was called, on the clock, the environment, grad
            mode or a profiler: what tells a check from a timing.""",
            "H29 H31 H32",
        ),
        suspicious(
            "lazy-tensor",
            "Returns what computes later",
            """A tensor with __torch_function__ or __torch_dispatch__, with methods of its own,
            or without storage can put the work off until somebody looks, after the clock has
            stopped.""",
            "H15 H16",
        ),
        suspicious(
            "silent-fallback",
            "Falls back to torch after an error",
            """A kernel that failed to build or run is replaced by torch without a word, so what
            is measured isn't the kernel.""",
            "H03 H05",
        ),
        suspicious(
            "reference-class",
            "Uses the reference",
            """A class named Model as a base or an instance, or an import or file of the
            reference or of this package: the answer would be the reference's own.""",
            "H06 H07 H25 H50 H76",
        ),
        _rule(
            "static",
            "library-call",
            "info",
            "Calls torch's own operators",
            """Operators, layers, `@`, or BLAS calls in Python or C++ do work that others wrote.
            Fine under the policy `any`; under `custom` the rule no-custom-code decides by
            measuring. Not reported for the backends torch and inductor.""",
            "H01 H02 H03 H04",
        ),
        _rule(
            "static",
            "torch-compile",
            "info",
            "Uses torch.compile or torch.jit",
            "The compiler is the author of the code that runs. A label, not a fault.",
            "H07 H08",
        ),
        suspicious(
            "precision-cast",
            "Casts to a lower precision",
            """Half-precision types, autocast, quantisation or TF32 switches in the text. Right
            where the task's tensors are of that type, which the text alone does not tell.""",
            "H66 H68",
        ),
        suspicious(
            "thread-count",
            "Changes the number of threads",
            "Threads and cores are part of the comparison: both sides get the same.",
            "H44",
        ),
        suspicious(
            "exit-call",
            "Can end or interrupt its process",
            """Exits, signals and kill are how a candidate ends a check early. An early end is
            never a success here.""",
            "H53 H56",
        ),
        suspicious(
            "guard-evasion",
            "Gets around memory checks",
            """Sanitizer hooks and options, page protection, the C library by hand, LD_PRELOAD:
            ways to hide a memory error, or to change the runtime below Python.""",
            "H39 H63 H71",
        ),
        suspicious(
            "random-state",
            "Sets or reads random states in forward",
            """Seeds lead to inputs that can be guessed and computed beforehand. The seeds of a
            verdict never reach the worker.""",
            "H28",
        ),
    ]


def _advice() -> list[Rule]:
    return [
        _rule(
            "advice",
            "kernelguard",
            "suspicious",
            "The kernelguard package matched",
            """A second opinion from rules that somebody else keeps; the evidence names the rule.
            Matches that it grades low or medium are info.""",
            "H05 H15 H22 H26 H27 H30 H32 H34 H38 H49 H52 H58",
        )
    ]


def _runtime() -> list[Rule]:
    def rule(identity: str, severity: Severity, title: str, reason: str, of: str = "") -> Rule:
        return _rule("runtime", identity, severity, title, reason, of)

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
            """A worker is stopped as a group whenever its time is not running. Who takes a session
            of its own gets around that, and may live longer than the worker.""",
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
            "The worker has children that nobody asked for. They die with it.",
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


def _values() -> list[Rule]:
    def refuse(identity: str, title: str, reason: str, of: str) -> Rule:
        return _rule("values", identity, "refuse", title, reason, of)

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
            "The reference returns fresh memory: whoever changes one would change the other.",
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
        _rule(
            "values",
            "sanitizer-unavailable",
            "info",
            "Memory errors were not looked for",
            "The candidate could not be rebuilt with sanitizers here, so nothing is known.",
            "",
        ),
        _rule(
            "values",
            "sanitizer-incomplete",
            "info",
            "Memory errors were not looked for to the end",
            """Rebuilt with sanitizers it stopped without a report, took too long or too much
            memory, or failed outside of its own C++.""",
            "",
        ),
    ]


def _physical() -> list[Rule]:
    return [
        _rule(
            "physical",
            "faster-than-memory",
            "refuse",
            "Faster than memory allows",
            """Every input must be read and every output written; that takes longer at the
            bandwidth measured on this machine than the call did.""",
            "H11 H12 H19 H26 H27 H47",
        ),
        _rule(
            "physical",
            "faster-than-arithmetic",
            "suspicious",
            "Faster than the arithmetic allows",
            """The operations that the reference needs take longer at this machine's peak. An
            algorithm with fewer operations would be a reason, so this is no proof.""",
            "H12 H17 H18 H19 H66",
        ),
        _rule(
            "physical",
            "batched-calls",
            "refuse",
            "A call by itself takes much longer",
            """What was measured in blocks is not to be had by whoever has one input: calls of a
            block were done together, or one did the work of others.""",
            "H29",
        ),
    ]


def _statistical() -> list[Rule]:
    def suspicious(identity: str, title: str, reason: str, of: str) -> Rule:
        return _rule("statistical", identity, "suspicious", title, reason, of)

    return [
        suspicious(
            "busy-machine",
            "Others used the processor",
            "Too few rounds were quiet. The times are no proof, whatever they say.",
            "H46 H77",
        ),
        _rule(
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


ALL = (*_static(), *_advice(), *_runtime(), *_values(), *_physical(), *_statistical())
"""Every rule, in the order of the reference page."""
