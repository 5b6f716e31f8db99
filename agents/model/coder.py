"""The coder: what it is shown, and its answer, one file.

What is not worth an evaluation is refused: no file, the reference again, one tried before.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Sequence

from kernelwright import syntax
from kernelwright.agents.duplicates import normal_form, parsed, statements
from kernelwright.agents.model.answers import BadAnswer, whole_text
from kernelwright.agents.model.context import (
    Brief,
    common_context,
    other_code,
    shown_code,
    what_was_found,
)
from kernelwright.agents.model.history import last_right, plan_behind
from kernelwright.agents.proposer import Idea, View
from kernelwright.backends.registry import guess_backend
from kernelwright.kernels.runtime import LATEST, UnknownRuntimeError, complete, shortened
from kernelwright.llm.base import Completion
from kernelwright.prompts.context import Context
from kernelwright.prompts.exemplar import exemplar
from kernelwright.schema import Attempt
from kernelwright.tasks.kinds.module import MODULE

FENCED = re.compile(
    r"^ {0,3}(`{3,}|~{3,})[^\n`]*\n(.*?)(?:^ {0,3}\1[`~]*[ \t\r]*$|\Z)", re.M | re.S
)
EDIT = re.compile(
    r"^<{5,} SEARCH[ \t]*\n(.*?)^={5,}[ \t]*\n(.*?)^>{5,} REPLACE[ \t]*$", re.M | re.S
)
MODEL_NEW = re.compile(rf"^class {MODULE.candidate}\b", re.M)
MAX_CHARACTERS = 200_000
"""Most characters of a file: it is shown again in every prompt that goes on from it."""
FILE_ONLY = "Answer again with one complete Python file in one ```python block."


def read_written(completion: Completion, base: str | None = None) -> str:
    """Return the file of an answer, its runtime by name.

    Args:
        base: what edits change, as it was shown; None where only a whole file will do.

    Raises:
        BadAnswer: there is no file, or an edit does not fit. Either way a whole file is asked for.
    """
    text = whole_text(completion)
    edits = EDIT.findall(text) if base is not None else []
    return _edited(base, edits) if base is not None and edits else _last_file(text)


def complete_file(written: str, reference: str, earlier: Iterable[str]) -> str:
    """Return a file complete with the runtime that it names.

    Args:
        written: the file, its runtime by name.
        reference: the task's own file, which is no candidate.
        earlier: files that were evaluated before.

    Raises:
        BadAnswer: it names no known runtime, is not Python, or is nothing new.
    """
    source = readable_file(written)
    own = statements(source)
    if not _defines_model_new(source):
        raise BadAnswer(f"Your file has no top-level `class {MODULE.candidate}`.", FILE_ONLY)
    known = _known_statements(reference)
    if known and all(line in known or line.startswith("Import") for line in own):
        raise BadAnswer(
            "Your file is the reference again, unchanged. Write the faster version.", FILE_ONLY
        )
    if normal_form(source) in map(normal_form, earlier):
        raise BadAnswer(
            "Your file is the same as one that was tried before. Change the code.", FILE_ONLY
        )
    return source


def readable_file(written: str) -> str:
    """Return a file complete with the runtime that it names.

    Raises:
        BadAnswer: it names no known runtime, is too long, or is not Python.
    """
    try:
        source = complete(written)
    except UnknownRuntimeError as error:
        raise BadAnswer(f"{error}.", FILE_ONLY) from error
    if len(source) > MAX_CHARACTERS:
        raise BadAnswer(
            f"Your file has {len(source):,} characters; {MAX_CHARACTERS:,} are the most. "
            "Compute tables, don't write them out.",
            FILE_ONLY,
        )
    try:
        parsed(source)
    except syntax.UNREADABLE as error:
        raise BadAnswer(f"Your file is not valid Python: {_where(error)}.", FILE_ONLY) from error
    return source


def _edited(base: str, edits: Sequence[tuple[str, str]]) -> str:
    """Return `base` with every edit made; the text an edit replaces must be there exactly once."""
    for number, (old, new) in enumerate(edits, 1):
        found = base.count(old) if old.strip() else 0
        if found != 1:
            raise BadAnswer(
                f"The text of SEARCH block {number} occurs {found} times in the file, not once.",
                FILE_ONLY,
            )
        base = base.replace(old, new)
    return base


def _last_file(text: str) -> str:
    blocks: list[str] = [block for _, block in FENCED.findall(text)]
    if not blocks and MODEL_NEW.search(text):
        blocks = [text]
    files = [block.strip() for block in blocks if MODEL_NEW.search(block)]
    if files:
        return files[-1] + "\n"
    if blocks:
        raise BadAnswer(
            f"No code block in your answer defines `class {MODULE.candidate}`.", FILE_ONLY
        )
    raise BadAnswer("There is no code block in your answer.", FILE_ONLY)


def _known_statements(source: str) -> list[str]:
    try:
        return statements(source)
    except syntax.UNREADABLE:
        return []


def _defines_model_new(source: str) -> bool:
    body = parsed(source).body
    return any(isinstance(node, ast.ClassDef) and node.name == MODULE.candidate for node in body)


def _where(error: BaseException) -> str:
    if isinstance(error, SyntaxError):
        return f"{error.msg}, line {error.lineno}: {(error.text or '').strip()}"
    return str(error) or type(error).__name__


def coder_context(view: View, brief: Brief, idea: Idea) -> Context:
    """Return a context with the idea and the code that it changes, which may have failed.

    A start without right code in the idea's language is shown an example; a repair the idea that
    was meant, and the last right file.
    """
    device, parent = brief.machine.device, view.parent
    code = shown_code(view, parent, device)
    failed = parent if code is not None and code.error else None
    same_language = code is not None and _backend(parent) == idea.backend
    has_example = same_language and failed is None
    category = view.task.category or brief.facts.category
    runtime = LATEST.get(idea.backend)
    known = (
        {
            "runtime": runtime.line,
            "api": runtime.api,
            "outline": runtime.outline,
        }
        if runtime
        else {}
    )
    return common_context(view, brief).model_copy(
        update={
            **known,
            "backends": (idea.backend,),
            "code": code,
            "meant": plan_behind(view, failed) if failed else "",
            "last_right": shown_code(view, last_right(view, failed), device) if failed else None,
            "others": other_code(view, device),
            **what_was_found(view, device),
            "edits": brief.edits and same_language,
            "idea": idea.text,
            "exemplar": "" if has_example else shortened(exemplar(category, idea.backend)),
        }
    )


def _backend(attempt: Attempt | None) -> str | None:
    return attempt.candidate.backend if attempt and attempt.candidate else None


def read_source(completion: Completion, view: View, brief: Brief) -> str:
    """Read the coder's file for a view. Raises BadAnswer, also for another backend."""
    parent = view.parent.candidate if view.parent else None
    base = shortened(parent.source) if parent else None
    return acceptable(read_written(completion, base), view, brief)


def acceptable(written: str, view: View, brief: Brief) -> str:
    """Return a file complete with its runtime, if it is one for this view.

    Raises:
        BadAnswer: it is none, nothing new, or has another backend.
    """
    # A file without a verdict may come again.
    earlier = [a.candidate.source for a in view.attempts if a.candidate and a.evaluation]
    source = complete_file(written, view.task.source, earlier)
    backend, wanted = guess_backend(source), brief.backends(view)
    if backend not in (*wanted, *brief.also):
        raise BadAnswer(
            f"Your file uses backend {backend!r}; it must use one of: {', '.join(wanted)}.",
            FILE_ONLY,
        )
    return source


def parent_hashes(view: View) -> tuple[str, ...]:
    """Return the hashes of the candidates that this one is made from."""
    made_from = [view.parent, *view.others]
    return tuple(a.candidate.hash for a in made_from if a is not None and a.candidate)
