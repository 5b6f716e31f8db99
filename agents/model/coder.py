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
from kernelwright.agents.model.context import common_context, other_code, shown_code, what_was_found
from kernelwright.agents.proposer import Idea, View
from kernelwright.backends.registry import guess_backend
from kernelwright.llm.base import Completion
from kernelwright.prompts.context import Context
from kernelwright.prompts.exemplar import exemplar
from kernelwright.sandbox.machine import Machine
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


def read_file(
    completion: Completion, reference: str, earlier: Iterable[str], base: str | None = None
) -> str:
    """Return the candidate's file.

    Args:
        reference: the task's own file, which is no candidate.
        earlier: files that were evaluated before.
        base: what edits change; None where only a whole file will do.

    Raises:
        BadAnswer: there is not exactly one such file, it is not Python, or it is nothing new; or
            an edit does not fit. Either way a whole file is asked for.
    """
    text = whole_text(completion)
    edits = EDIT.findall(text) if base is not None else []
    source = _edited(base, edits) if base is not None and edits else _only_file(text)
    if len(source) > MAX_CHARACTERS:
        raise BadAnswer(
            f"Your file has {len(source):,} characters; {MAX_CHARACTERS:,} are the most. "
            "Compute tables, don't write them out.",
            FILE_ONLY,
        )
    try:
        own = statements(source)
    except syntax.UNREADABLE as error:
        raise BadAnswer(f"Your file is not valid Python: {_where(error)}.", FILE_ONLY) from error
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


def _only_file(text: str) -> str:
    blocks: list[str] = [block for _, block in FENCED.findall(text)]
    if not blocks and MODEL_NEW.search(text):
        blocks = [text]
    files = {block.strip() for block in blocks if MODEL_NEW.search(block)}
    if len(files) == 1:
        return files.pop() + "\n"
    if files:
        problem = (
            f"{len(files)} different code blocks define {MODULE.candidate}; I can use only one."
        )
    elif blocks:
        problem = f"No code block in your answer defines `class {MODULE.candidate}`."
    else:
        problem = "There is no code block in your answer."
    raise BadAnswer(problem, FILE_ONLY)


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


def coder_context(view: View, machine: Machine, idea: Idea, edits: bool) -> Context:
    """Return a context with the change to make, the code it starts from, and an example.

    Args:
        edits: ask for changes to that code, where there is any.
    """
    return common_context(view, machine).model_copy(
        update={
            "backends": (idea.backend,),
            "code": shown_code(view, view.parent, machine.device),
            "others": other_code(view, machine.device),
            **what_was_found(view, machine.device),
            "edits": edits and view.parent is not None,
            "idea": idea.text,
            "exemplar": exemplar(view.task.category, idea.backend),
        }
    )


def read_source(completion: Completion, view: View, also: Sequence[str] = ()) -> str:
    """Read the coder's file for a view. Raises BadAnswer, also for another backend.

    Args:
        also: backends that are taken besides the view's.
    """
    # A file without a verdict may come again.
    earlier = [a.candidate.source for a in view.attempts if a.candidate and a.evaluation]
    parent = view.parent.candidate if view.parent else None
    base = parent.source if parent else None
    source = read_file(completion, view.task.source, earlier, base)
    backend = guess_backend(source)
    if backend not in (*view.backends, *also):
        allowed = ", ".join(view.backends)
        raise BadAnswer(
            f"Your file uses backend {backend!r}; it must use one of: {allowed}.",
            FILE_ONLY,
        )
    return source


def parent_hashes(view: View) -> tuple[str, ...]:
    """Return the hashes of the candidates that this one is made from."""
    made_from = [view.parent, *view.others]
    return tuple(a.candidate.hash for a in made_from if a is not None and a.candidate)
