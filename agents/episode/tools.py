"""The tools of an episode: their arguments, and their results as text of at most a page."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from langchain_core.tools import BaseTool, StructuredTool
from pydantic import BaseModel, ConfigDict, Field

from kernelwright.agents.episode.bench import Bench, Misuse, Seen
from kernelwright.agents.episode.notes import Notes
from kernelwright.agents.model.context import judged_code
from kernelwright.agents.search.ranking import speedup_of
from kernelwright.kernels.runtime import shortened
from kernelwright.llm.base import Tool
from kernelwright.schema import Attempt, Evaluation, Task
from kernelwright.verifier.build.cache import Build

PAGE = 6_000
"""Most characters of a result."""
CHANGES = ("write_file", "edit")
"""Tools that change the file. They are run again when an episode is continued: it is no more than
what they made of it."""
SUBMIT = "submit"


class Arguments(BaseModel):
    """Base of a tool's arguments."""

    model_config = ConfigDict(extra="forbid", use_attribute_docstrings=True)


class Nothing(Arguments):
    """No arguments."""


class WriteFile(Arguments):
    """Arguments of `write_file`."""

    source: str
    """The whole file."""


class Edit(Arguments):
    """Arguments of `edit`."""

    old: str
    """A text that stands in the file exactly once, with its indentation."""
    new: str
    """The text that takes its place."""


class Disassemble(Arguments):
    """Arguments of `disassemble`."""

    function: str = Field(min_length=1)
    """A function's name, or a part of it."""


class SearchNotes(Arguments):
    """Arguments of `search_notes`."""

    query: str = Field(min_length=1)
    """A few words."""


class ShowAttempt(Arguments):
    """Arguments of `show_attempt`."""

    number: int | None = None
    """An attempt's number, as the notes on earlier attempts have it; leave it out for the file as
    it is now."""


class Toolset:
    """The tools of one episode.

    Args:
        task: with its hidden workloads, which earlier attempts were measured on.
        attempts: what had ended when it began.
        notes: the notes to search.
        check_submission: raises Misuse for a file that is not worth a verdict.
    """

    def __init__(
        self,
        bench: Bench,
        task: Task,
        attempts: Sequence[Attempt],
        notes: Notes,
        check_submission: Callable[[str], None],
    ) -> None:
        self._bench = bench
        self._task = task
        self._attempts = attempts
        self._notes = notes
        self._check_submission = check_submission
        self.seen: Seen | None = None
        """The file as a tool has just seen it, if it was right."""

    def tools(self) -> list[BaseTool]:
        """Return the tools for LangGraph's ToolNode."""
        return [
            _tool(self.write_file, WriteFile),
            _tool(self.edit, Edit),
            _tool(self.build, Nothing),
            _tool(self.check, Nothing),
            _tool(self.time, Nothing),
            _tool(self.profile, Nothing),
            _tool(self.disassemble, Disassemble),
            _tool(self.search_notes, SearchNotes),
            _tool(self.show_attempt, ShowAttempt),
            _tool(self.submit, Nothing),
        ]

    def write_file(self, source: str) -> str:
        """Replace the whole file. Free of charge but for the tokens; prefer `edit`."""
        self._bench.write(source)
        return self._written()

    def edit(self, old: str, new: str) -> str:
        """Replace one place of the file."""
        self._bench.edit(old, new)
        return self._written()

    def build(self) -> str:
        """Compile and import the file, and call it once; about 1 s for C++, 15 for torch.compile.

        Returns the compiler's error, or facts about the machine code.
        """
        found = self._bench.build()
        if isinstance(found, Evaluation):
            return f"{found.status.value}: {found.reason}"
        return "\n".join(["built", *_built(found)])

    def check(self) -> str:
        """Compare the file's values with the reference's on a few cases, some of them extreme.

        Takes about half a second once it is built. The judge compares on more cases and sizes.
        """
        found = self._noted(self._bench.compare())
        return "right on every case that was tried" if found.accepted else self._said(found)

    def time(self) -> str:
        """Time the file beside eager PyTorch for a moment, where its values are right.

        Takes about a second once it is built. The judge measures longer.
        """
        found = self._noted(self._bench.evaluate())
        if found.accepted and not found.speedup:
            raise Misuse("this machine cannot time that backend")
        return self._said(found)

    def profile(self) -> str:
        """Return where the file's time goes and how far the roof is, where its values are right.

        For C++ down to the hottest lines and instructions; takes a few seconds.
        """
        evidence = self._noted(self._bench.profile()).evidence
        if evidence is None:
            raise Misuse("this machine cannot profile that backend")
        return "\n".join([*evidence.facts, *evidence.hot_lines])

    def disassemble(self, function: str) -> str:
        """Return the machine code of a function of the built C++ file."""
        return self._bench.disassemble(function)

    def search_notes(self, query: str) -> str:
        """Search notes on optimization: techniques, and changes measured on other tasks, with code.

        Only the first change's code is shown: ask for one at a time.
        """
        return self._notes.search(query) or "no note has these words"

    def show_attempt(self, number: int | None = None) -> str:
        """Return an earlier attempt with its file and outcome, or the file as it is now."""
        if number is None:
            if not self._bench.source:
                raise Misuse("there is no file yet: write_file first")
            return self._bench.source
        found = next((one for one in self._attempts if one.number == number), None)
        if found is None:
            known = ", ".join(str(one.number) for one in self._attempts) or "none yet"
            raise Misuse(f"there is no attempt {number}; there are: {known}")
        if found.candidate is None or found.evaluation is None:
            return f"{found.plan}\nnothing was measured: {found.error or found.dropped}"
        said = self._said(found.evaluation)
        return f"{found.plan}\n{said}\n\n{shortened(found.candidate.source)}"

    def submit(self) -> str:
        """End the work: the judge measures the file as it is now. Nothing comes after this."""
        problem = self.refusal()
        if problem is not None:
            raise Misuse(problem)
        return "submitted"

    def refusal(self) -> str | None:
        """Return why the file as it is now can't be submitted; None where it can."""
        if not self._bench.source.strip():
            return "there is no file yet"
        problem = self._bench.problem()
        if problem is None:
            try:
                self._check_submission(self._bench.source)
            except Misuse as misuse:
                problem = str(misuse)
        return problem

    def _noted(self, found: Evaluation) -> Evaluation:
        if found.accepted:
            self.seen = Seen(self._bench.source, speedup_of(found))
        return found

    def _said(self, found: Evaluation) -> str:
        """Return a verdict in words; nothing of a hidden workload."""
        shown = judged_code(self._task, "", found, self._bench.machine.device)
        return shown.error or "\n".join(shown.measured)

    def _written(self) -> str:
        problem = self._bench.problem()
        lines = self._bench.source.count("\n") + 1
        return f"{lines} lines" + (f"; {problem}" if problem else "")


def offered(tools: Sequence[BaseTool]) -> tuple[Tool, ...]:
    """Return tools as a request names them."""
    return tuple(_offer(tool) for tool in tools)


def _tool(method: Callable[..., str], arguments: type[Arguments]) -> BaseTool:
    description = " ".join((method.__doc__ or "").split())
    return StructuredTool.from_function(
        method, name=method.__name__, description=description, args_schema=arguments
    )


def _offer(tool: BaseTool) -> Tool:
    assert isinstance(tool.args_schema, type) and issubclass(tool.args_schema, BaseModel)
    schema = tool.args_schema.model_json_schema()
    schema.pop("title", None)
    schema.pop("description", None)
    return Tool(name=tool.name, description=tool.description, parameters=schema)


def _built(build: Build) -> tuple[str, ...]:
    seconds = () if build.seconds is None else (f"in {build.seconds:.1f} s",)
    return (*seconds, *build.object_code.facts)
