"""The rules that read a candidate's text, in words: ours, and advice from kernelguard."""

from __future__ import annotations

from kernelwright.verifier.integrity.rule import Rule, rule_row


def static_rules() -> list[Rule]:
    """Return the rules on what the text of a candidate shows."""

    def suspicious(identity: str, title: str, reason: str, of: str) -> Rule:
        return rule_row("static", identity, "suspicious", title, reason, of)

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
            kept, gives back an old result instead of a new one. What is prepared from parameters
            and made again when their address or version changes is not meant.""",
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
            or without storage can put the work off until its values are asked for, after the
            clock has stopped.""",
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
        rule_row(
            "static",
            "library-call",
            "info",
            "Calls torch's own operators",
            """Operators, layers, `@`, or BLAS calls in Python or C++ do work that others wrote.
            Fine under the policy `any`; under `custom` the rule no-custom-code decides by
            measuring. Not reported for the backends torch and inductor.""",
            "H01 H02 H03 H04",
        ),
        rule_row(
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
