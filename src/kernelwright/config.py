"""Settings: their types and bounds, and which of several places decided each value.

Flag, then `KERNELWRIGHT_*` variable, then `./kernelwright.toml`, then the user file, then default.
The registries check whether a model, backend or search of a given name exists. This module does not
import `schema`, so that a command which only reads settings starts fast.
"""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, NamedTuple

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from kernelwright.errors import UsageError, did_you_mean

if TYPE_CHECKING:
    from kernelwright.schema import MachineSpec, SearchSettings

ENV_PREFIX = "KERNELWRIGHT_"
OFFLINE = "offline"
"""The value of `model` that means no language model."""
PROJECT_FILE = "kernelwright.toml"
DEFAULT_USD = 5.0
"""Dollars for the model calls of a run where nothing is set."""
DEFAULT_TOKENS = 2_000_000
"""Tokens in their place, where a model's price is not known."""

ToleranceName = Literal["default", "kernelbench"]
PolicyName = Literal["any", "custom"]
"""The names of `schema.Policy`, as `ToleranceName` has those of `schema.ToleranceName`."""
UsesName = Literal["flag", "refuse"]
"""The names of `schema.UsesRule`."""
EffortName = Literal["none", "low", "medium", "high", "xhigh", "max"]
"""The names of `llm.base.Effort`."""
WorkflowName = Literal["auto", "agent", "fixed"]
"""The names of a coder's ways to work."""
BlockName = Literal[
    "device",
    "facts",
    "graph",
    "contrast",
    "direction",
    "diagnosis",
    "worked",
    "tried",
    "untested",
    "ideas",
    "lessons",
    "moves",
    "exemplar",
]
"""The names of `prompts.context.Block`. A test compares them, and those of `ToleranceName`."""

_TARGET = re.compile(r"auto|cpu|cuda(:(0|[1-9]\d*))?")
_DURATION = re.compile(r"(?:([\d.]+)h)?(?:([\d.]+)m)?(?:([\d.]+)s)?")


def parse_duration(text: str) -> float:
    """Return the seconds in `10m`, `90s`, `1h`, `1h30m` or a plain number of seconds.
    Raises:
        ValueError: the text is none of these.
    """
    match = _DURATION.fullmatch(text.strip())
    try:
        if match is None or not any(match.groups()):
            return float(text)
        hours, minutes, seconds = (float(part or 0) for part in match.groups())
    except ValueError:
        raise ValueError("write it like 90s, 10m, 1h30m or 600 (seconds)") from None
    return 3600 * hours + 60 * minutes + seconds


def _not_bool(value: object) -> object:
    if isinstance(value, bool):
        raise ValueError("write a number, not true or false")
    return value


def _duration(value: object) -> object:
    return parse_duration(value) if isinstance(value, str) else _not_bool(value)


def _threads(value: object) -> object:
    return None if value == "all" else _not_bool(value)


def _available(threads: int | None) -> int | None:
    """Return the number of threads. Raises ValueError above the number of available CPUs.

    More threads than CPUs would wait for each other, and every time would be too long.
    """
    cpus = len(os.sched_getaffinity(0))
    if threads is not None and threads > cpus:
        raise ValueError(f"this process may use {cpus} {'CPU' if cpus == 1 else 'CPUs'}")
    return threads


def _names(value: object) -> object:
    if isinstance(value, str):
        return tuple(name.strip() for name in value.split(","))
    return value


def _distinct(names: tuple[str, ...]) -> tuple[str, ...]:
    if not names or not all(names):
        raise ValueError("give at least one name, and no empty ones")
    return tuple(dict.fromkeys(names))


def _target(value: str) -> str:
    if not _TARGET.fullmatch(value):
        raise ValueError("write auto, cpu, cuda or cuda:N")
    return value


def _expand(path: Path) -> Path:
    return Path(os.path.expanduser(path))


def _expand_store(value: str) -> str:
    return value if "://" in value else os.path.expanduser(value)


Count = Annotated[int, Field(ge=0)]
Amount = Annotated[float, Field(ge=0, allow_inf_nan=False)]


class Allowance(BaseModel):
    """Limits on what model calls use; None is no limit."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    usd: Amount | None = None
    tokens: Count | None = None
    calls: Count | None = None
    seconds: Amount | None = None


class TokenPrice(BaseModel):
    """A price in dollars per million tokens."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    input: Amount
    output: Amount


def _table(like: str) -> BeforeValidator:
    """Return a validator that takes a text like `NAME=1, NAME=2` for a table.

    Args:
        like: an example for the error's message.
    """

    def read(value: object) -> object:
        if not isinstance(value, str):
            return value
        parts = [part.partition("=") for part in value.split(",") if part.strip()]
        if not all(equals for _, equals, _ in parts):
            raise ValueError(f"write it like {like}")
        return {name.strip(): text.strip() for name, _, text in parts}

    return BeforeValidator(read)


Name = Annotated[str, Field(min_length=1)]
Limited = Annotated[Allowance, _table("usd=1,calls=20; also tokens= and seconds=")]
Names = Annotated[tuple[str, ...], BeforeValidator(_names), AfterValidator(_distinct)]
Number = BeforeValidator(_not_bool)
Folder = Annotated[Path, AfterValidator(_expand)]


class _Group(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


class Models(_Group):
    """The models that propose, and what they are shown."""

    model: Name = OFFLINE
    """Model that proposes candidates: `offline` (no language model), `provider/name`, or
    `replay:FILE`."""
    planner_model: Name | None = None
    """Another model for the planner; None: the same. A smaller one may do."""
    profiler_model: Name | None = None
    """The same for the profiler."""
    planner_effort: EffortName | None = None
    """Work that the planner's model is asked to put in: `none` (no thoughts), `low`, `medium`,
    `high`, `xhigh` or `max`, as far as the model has them. None: the provider's default. One step
    more on a plateau of the search."""
    coder_effort: EffortName | None = None
    """The same for the coder."""
    profiler_effort: EffortName | None = None
    """The same for the profiler."""
    workflow: WorkflowName = "auto"
    """How the coder works: `agent` with tools, until it submits a file; `fixed` in one answer;
    `auto` with tools where its model is known to use them."""
    coder_answers: Literal["file", "edits"] = "edits"
    """How a coder without tools changes code: search/replace edits, after one of which that does
    not fit it is asked for the file, or always whole files."""
    without_blocks: Annotated[tuple[BlockName, ...], BeforeValidator(_names)] = ()
    """Parts that prompts leave out, to compare: `device`, `facts` (times and roof of the
    reference), `graph`, `contrast`, `direction`, `diagnosis`, `worked`, `tried`, `untested`,
    `ideas`, `lessons`, `moves`, `exemplar`."""
    backends: Names = ("cpp", "inductor", "triton", "cuda")
    """Languages that candidates may be written in; a comma-separated text or a list."""


class Search(_Group):
    """The search for candidates."""

    search: Name = "greedy"
    """Search strategy: which candidate is improved next."""
    patience: Annotated[int, Number, Field(ge=1)] = 24
    """Evaluated attempts without 1% of progress after which the search of a task ends."""
    seeds: Annotated[Count, Number] = 2
    """Most files of the offline optimizer that a model's search of a task begins with, where it has
    any: they cost no call, and at most a third of `attempts`. 0: none."""
    tune: Annotated[Count, Number] = 8
    """Most attempts with other numbers in one file of a model's search, where the file says which
    there are: they cost no call, and at most a third of all attempts. 0: none."""
    seed: Annotated[int, Number, Field(ge=0, lt=2**32)] = 0
    """Seed of the search. Test inputs come from a secret seed of their own."""


class Budget(_Group):
    """Limits. Parts of one run may differ in them."""

    attempts: Annotated[Annotated[int, Field(ge=1)] | None, Number] = None
    """Most candidates proposed and evaluated per task. None: 12, but as many as the budget allows
    where `optimize` has a model."""
    time_limit_s: Annotated[
        Annotated[float, Field(gt=0, allow_inf_nan=False)] | None, BeforeValidator(_duration)
    ] = None
    """No new attempt of a task starts after this: seconds, or a text like `90s`, `10m`, `1h30m`.
    None: 10 minutes with `offline`, no limit with a model."""
    proposals: Annotated[Annotated[int, Field(ge=1)] | None, Number] = None
    """Candidates proposed side by side, each knowing the rounds before, while others are evaluated.
    None: 1 with `offline`, 4 with a model."""
    repairs: Annotated[Count, Number] = 2
    """Most times that a model repairs a file that is not built within its attempt, each by a call
    of the coder. Wrong values are left to the search."""
    halving: Annotated[Count, Number] = 3
    """The fastest one in so many of a task's attempts is measured at length; 0: none is."""
    budget_usd: Annotated[Amount | None, Number] = None
    """Most dollars spent on model calls in one run; calls that might pass it are not sent. None: 5
    dollars, or 2,000,000 tokens where a model's price is not known and nothing else is limited."""
    budget_tokens: Annotated[Count | None, Number] = None
    """Most tokens of model calls in one run, asked and answered; also where prices are unknown."""
    price: Annotated[TokenPrice | None, _table("input=1.5,output=6")] = None
    """Dollars per million tokens of models that the price table lacks: a text like
    `input=1.5,output=6`."""
    budget_calls: Annotated[Count | None, Number] = None
    """Most model calls in one run."""
    answer_tokens: Annotated[Annotated[int, Field(ge=1)] | None, Number] = None
    """Most tokens of one answer, thoughts included. None: as the model allows, up to 64,000 for
    the coder, 32,000 for the planner and 16,000 for the profiler, and more after one that was cut
    off; where the model is not known 16,384, 8,192 and 8,192."""
    task_budget: Limited = Allowance()
    """The same for each task of a run: a text like `usd=1,tokens=200000,calls=60,seconds=900`."""
    attempt_budget: Limited = Allowance(calls=40)
    """The same for each attempt; one that is over is dropped, and the next one begins."""


class Judge(_Group):
    """The verdict: where candidates run, and what counts."""

    target: Annotated[str, AfterValidator(_target)] = "auto"
    """Device to optimize for: `auto` (the CPU, until timing on GPUs is validated), `cpu`, `cuda` or
    `cuda:N`, whose verdicts are marked `not-validated`."""
    sandbox: Name = "auto"
    """Where candidates run; `auto` takes the strictest one that works here."""
    threads: Annotated[
        Annotated[int, Field(ge=1)] | None, BeforeValidator(_threads), AfterValidator(_available)
    ] = None
    """CPU threads of one worker, no more than there are CPUs; None (written `all`): every core."""
    tolerance: ToleranceName = "default"
    """Rule by which values count as equal to the reference's."""
    policy: PolicyName = "any"
    """Code that may do the work: `any` (torch's operators and torch.compile too, labelled), or
    `custom`: most of the time must go by in code of the candidate's own."""
    uses: UsesName = "flag"
    """Consequence of a use (other sizes, arguments, weights, modes) that a candidate gets silently
    wrong, or in which it crashes: `flag`, or `refuse`. At `fast` none is tried."""


class Places(_Group):
    """Files and folders. Relative paths count from the working folder; `~` is the home folder."""

    out: Folder = Path("runs")
    """Folder that gets one result folder per run."""
    store: Annotated[Name, AfterValidator(_expand_store)] = Field(
        default_factory=lambda: default_store(os.environ)
    )
    """Database of runs and attempts, a path or a URL. Default:
    `$XDG_DATA_HOME/kernelwright/kernelwright.db`, under `~/.local/share` when that is unset."""
    cache_dir: Folder = Field(default_factory=lambda: default_cache_dir(os.environ))
    """Compiled candidates. Default: `$XDG_CACHE_HOME/kernelwright`, under `~/.cache` when unset."""
    record: Annotated[Path, AfterValidator(_expand)] | None = None
    """File that every answer of a model is added to; `replay:FILE` gives them back."""


class Settings(Places, Judge, Budget, Search, Models):
    """All settings, in groups; their keys are flat in files, variables and stored runs."""

    @property
    def search_settings(self) -> SearchSettings:
        """The search of each task."""
        from kernelwright.schema import SearchSettings

        offline = self.model == OFFLINE
        return SearchSettings(
            strategy=self.search,
            seed=self.seed,
            attempts=self.attempts or (12 if offline else None),
            time_limit_s=self.time_limit_s or (600.0 if offline else None),
            patience=self.patience,
            proposals=self.proposals or (1 if offline else 4),
            halving=self.halving,
            repairs=0 if offline else self.repairs,
            seeds=0 if offline else self.seeds,
            tune=0 if offline else self.tune,
        )

    @property
    def machine(self) -> MachineSpec:
        """The machine that candidates run on."""
        from kernelwright.schema import MachineSpec

        return MachineSpec(sandbox=self.sandbox, threads=self.threads, target=self.target)


LIMITS_AND_PLACES = frozenset({*Budget.model_fields, *Places.model_fields})
"""Settings that may differ between the parts of one run; the others identify the run."""
FIRST_SETTINGS = frozenset(
    {
        *("model", "planner_model", "profiler_model", "coder_answers", "without_blocks"),
        *("backends", "target", "search", "patience", "sandbox", "tolerance", "policy"),
        *("seed", "threads"),
    }
)
"""Settings that the names of runs were made from in the first version."""
FIRST_DEFAULTS = {"coder_answers": "file"}
"""Defaults of the first version that are others now; in identities the two change places."""


def identity(settings: Settings) -> dict[str, Any]:
    """Return the settings that identify a run, as JSON data.

    A setting that is new since the first version is left out while it has its default, and one with
    another default since counts as the first one then, so that a command still finds the run that
    an earlier version began.
    """
    full = settings.model_dump(mode="json", exclude=set(LIMITS_AND_PLACES))
    changed = settings.model_dump(mode="json", exclude_defaults=True)
    known = {k: v for k, v in full.items() if k in FIRST_SETTINGS or k in changed}
    for name, first in FIRST_DEFAULTS.items():
        if name not in changed:
            known[name] = first
        elif known[name] == first:
            known[name] = Settings.model_fields[name].default
    return known


class Resolved(NamedTuple):
    """The settings, and the source of each value."""

    settings: Settings
    sources: dict[str, str]
    """Key to `flag`, the variable's name, the file's path, or `default`."""


class _Layer(NamedTuple):
    values: Mapping[str, Any]
    source: str
    """A file's path, `flag`, or the prefix of the environment variables."""

    def name(self, key: str) -> str:
        """Return where the user set `key`: the variable's name, a file's path, or `flag`."""
        return ENV_PREFIX + key.upper() if self.source == ENV_PREFIX else self.source


def load_settings(
    flags: Mapping[str, Any], cwd: Path | None = None, env: Mapping[str, str] | None = None
) -> Resolved:
    """Merge all places into one `Settings`.

    Args:
        flags: values from the command line by field name; None and empty lists are "not given".
        cwd: folder that may hold `kernelwright.toml`; the working folder when None.
        env: environment variables; the process's own when None. Empty ones are "not given".

    Raises:
        UsageError: an unknown key, a bad value, or a file that cannot be read.
    """
    env = os.environ if env is None else env
    values: dict[str, Any] = {"store": default_store(env), "cache_dir": default_cache_dir(env)}
    sources = dict.fromkeys(Settings.model_fields, "default")
    for layer in _layers(flags, cwd or Path(), env):
        _check_known(layer)
        values.update(layer.values)
        sources.update({key: layer.name(key) for key in layer.values})
    try:
        return Resolved(Settings.model_validate(values), sources)
    except ValidationError as error:
        raise _bad_value(error, values, sources) from None


def stored_settings(values: Mapping[str, Any]) -> Settings:
    """Return the settings that a run was started with.

    Raises:
        UsageError: a value is not valid here, as more threads than this machine has CPUs.
    """
    try:
        return Settings.model_validate(values)
    except ValidationError as error:
        raise _bad_value(error, values, dict.fromkeys(values, "the stored run")) from None


def default_store(env: Mapping[str, str]) -> str:
    """Return the path of the user's own database."""
    return str(_xdg(env, "XDG_DATA_HOME", ".local/share") / "kernelwright" / "kernelwright.db")


def default_cache_dir(env: Mapping[str, str]) -> Path:
    """Return the folder of the user's own build cache."""
    return _xdg(env, "XDG_CACHE_HOME", ".cache") / "kernelwright"


def user_file(env: Mapping[str, str]) -> Path:
    """Return the path of the user's configuration file, whether it exists or not."""
    return _xdg(env, "XDG_CONFIG_HOME", ".config") / "kernelwright" / "config.toml"


def _xdg(env: Mapping[str, str], variable: str, fallback: str) -> Path:
    """Return a base folder by the XDG specification, which says to ignore relative values."""
    named = Path(env.get(variable, ""))
    return named if named.is_absolute() else _home(env) / fallback


def _home(env: Mapping[str, str]) -> Path:
    return Path(env.get("HOME") or os.path.expanduser("~"))


def _layers(flags: Mapping[str, Any], cwd: Path, env: Mapping[str, str]) -> Iterator[_Layer]:
    """Yield the values of all places, the weakest first."""
    for path in (user_file(env), cwd / PROJECT_FILE):
        if os.path.exists(path):
            yield _Layer(_read(path), str(path.absolute()))
    prefixed = {key: value for key, value in env.items() if key.startswith(ENV_PREFIX) and value}
    yield _Layer({_env_key(key): value for key, value in prefixed.items()}, ENV_PREFIX)
    yield _Layer({k: v for k, v in flags.items() if v not in (None, [], ())}, "flag")


def _env_key(variable: str) -> str:
    """Return `seed` for `KERNELWRIGHT_SEED`; other spellings stay as they are, and are unknown."""
    rest = variable.removeprefix(ENV_PREFIX)
    return rest.lower() if rest.isupper() else variable


def _read(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(
            f"{path} is not valid TOML: {error}",
            'lines look like `seed = 1` or `model = "offline"`',
        ) from error


def _check_known(layer: _Layer) -> None:
    known = list(Settings.model_fields)
    for key in layer.values:
        if key in known:
            continue
        if layer.source == ENV_PREFIX:
            variables = [ENV_PREFIX + name.upper() for name in known]
            variable = key if key.startswith(ENV_PREFIX) else ENV_PREFIX + key.upper()
            raise UsageError(f"unknown setting {variable!r}", did_you_mean(variable, variables))
        raise UsageError(f"unknown setting {key!r} in {layer.source}", did_you_mean(key, known))


def _bad_value(
    error: ValidationError, values: Mapping[str, Any], sources: Mapping[str, str]
) -> UsageError:
    """Return the first complaint as one sentence that names key, value and source."""
    first = error.errors()[0]
    key = str(first["loc"][0])
    field = Settings.model_fields[key]
    cause = first.get("ctx", {}).get("error", first["msg"])
    if first["type"] == "literal_error":
        known = re.findall(r"'([^']*)'", first.get("ctx", {}).get("expected", ""))
        hint = did_you_mean(str(first["input"]), known)
    else:
        hint = f"{key}: {' '.join((field.description or '').split())}"
    return UsageError(f"{key} = {values[key]!r} (from {sources[key]}) is not valid: {cause}", hint)
