"""Settings: precedence, sources, and one clear sentence for every error."""

from __future__ import annotations

from pathlib import Path
from typing import Any, get_args

import pytest
from pydantic import ValidationError

from kernelwright import schema
from kernelwright.config import (
    PROJECT_FILE,
    Allowance,
    BlockName,
    PolicyName,
    Resolved,
    Settings,
    ToleranceName,
    UsesName,
    load_settings,
    parse_duration,
)
from kernelwright.errors import UsageError
from kernelwright.prompts.context import Block


class Places:
    """A home folder, a working folder and an environment of their own."""

    def __init__(self, root: Path) -> None:
        self.home, self.cwd = root / "home", root / "work"
        self.home.mkdir()
        self.cwd.mkdir()
        self.env = {"HOME": str(self.home)}
        self.user_file = self.home / ".config" / "kernelwright" / "config.toml"
        self.project_file = self.cwd / PROJECT_FILE

    def write_user(self, text: str) -> None:
        self.user_file.parent.mkdir(parents=True)
        self.user_file.write_text(text)

    def write_project(self, text: str) -> None:
        self.project_file.write_text(text)

    def load(self, **flags: Any) -> Resolved:
        return load_settings(flags, cwd=self.cwd, env=self.env)

    def refuse(self, **flags: Any) -> UsageError:
        with pytest.raises(UsageError) as caught:
            self.load(**flags)
        assert caught.value.exit_code == 2
        return caught.value


@pytest.fixture
def places(tmp_path: Path) -> Places:
    return Places(tmp_path)


def test_defaults_need_nothing(places: Places) -> None:
    settings, sources = places.load()
    assert settings.model == "offline"
    assert settings.backends == ("cpp", "inductor", "triton", "cuda")
    assert settings.threads is None
    assert settings.store == str(places.home / ".local/share/kernelwright/kernelwright.db")
    assert settings.cache_dir == places.home / ".cache/kernelwright"
    assert set(sources) == set(Settings.model_fields)
    assert set(sources.values()) == {"default"}


def test_each_place_wins_over_the_ones_below(places: Places) -> None:
    places.write_user("seed = 1\nattempts = 1\nbudget_usd = 1\nsearch = 'u'\n")
    places.write_project("seed = 2\nattempts = 2\nbudget_usd = 2\n")
    places.env |= {"KERNELWRIGHT_SEED": "3", "KERNELWRIGHT_ATTEMPTS": "3"}
    settings, sources = places.load(seed=4)
    assert (settings.seed, settings.attempts, settings.budget_usd) == (4, 3, 2.0)
    assert settings.search == "u"
    assert sources["seed"] == "flag"
    assert sources["attempts"] == "KERNELWRIGHT_ATTEMPTS"
    assert sources["budget_usd"] == str(places.project_file)
    assert sources["search"] == str(places.user_file)
    assert sources["model"] == "default"


def test_flags_that_were_not_given_decide_nothing(places: Places) -> None:
    places.write_project("backends = ['cpp']\nthreads = 1\nseed = 5\n")
    settings, sources = places.load(backends=[], threads=None, seed=0)
    assert (settings.backends, settings.threads) == (("cpp",), 1)
    assert (settings.seed, sources["seed"]) == (0, "flag")


def test_an_empty_variable_decides_nothing(places: Places) -> None:
    places.env["KERNELWRIGHT_SEED"] = ""
    settings, sources = places.load()
    assert (settings.seed, sources["seed"]) == (0, "default")


def test_other_programs_variables_are_left_alone(places: Places) -> None:
    places.env |= {"KERNELWRIGHTX": "1", "OPENAI_API_KEY": "k", "seed": "9"}
    assert places.load().settings.seed == 0


def test_xdg_folders_are_honoured(places: Places, tmp_path: Path) -> None:
    config = tmp_path / "xdg" / "kernelwright" / "config.toml"
    config.parent.mkdir(parents=True)
    config.write_text("seed = 7")
    places.env |= {name: str(tmp_path / "xdg") for name in ("XDG_CONFIG_HOME", "XDG_CACHE_HOME")}
    places.env["XDG_DATA_HOME"] = "relative/is/ignored"
    settings, sources = places.load()
    assert (settings.seed, sources["seed"]) == (7, str(config))
    assert settings.cache_dir == tmp_path / "xdg" / "kernelwright"
    assert settings.store == str(places.home / ".local/share/kernelwright/kernelwright.db")


@pytest.mark.parametrize(
    ("variable", "text", "key", "expected"),
    [
        ("BACKENDS", "cpp, inductor,cpp", "backends", ("cpp", "inductor")),
        ("TIME_LIMIT_S", "10m", "time_limit_s", 600.0),
        ("THREADS", "all", "threads", None),
        ("THREADS", "1", "threads", 1),
        ("TARGET", "cuda:1", "target", "cuda:1"),
        ("BUDGET_USD", "0", "budget_usd", 0.0),
        ("OUT", "results", "out", Path("results")),
        ("STORE", "postgresql://db/x", "store", "postgresql://db/x"),
        ("TOLERANCE", "kernelbench", "tolerance", "kernelbench"),
    ],
)
def test_variables_are_read_as_text(
    places: Places, variable: str, text: str, key: str, expected: object
) -> None:
    places.env[f"KERNELWRIGHT_{variable}"] = text
    assert getattr(places.load().settings, key) == expected


def test_home_is_expanded(monkeypatch: pytest.MonkeyPatch, places: Places) -> None:
    monkeypatch.setenv("HOME", str(places.home))
    settings = places.load(out="~/o", store="~/s.db", cache_dir="~/c").settings
    assert settings.out == places.home / "o"
    assert settings.store == str(places.home / "s.db")
    assert settings.cache_dir == places.home / "c"


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("90s", 90), ("10m", 600), ("1h", 3600), ("1h30m", 5400), ("600", 600), ("1.5h", 5400)],
)
def test_durations(text: str, seconds: float) -> None:
    assert parse_duration(text) == seconds


@pytest.mark.parametrize("text", ["", "m", "10 min", "5d", "1m1h", "1.2.3s", "-", "ten"])
def test_not_durations(text: str) -> None:
    with pytest.raises(ValueError, match="write it like"):
        parse_duration(text)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("model", ""),
        ("model", 3),
        ("backends", "cpp,"),
        ("backends", 3),
        ("target", "tpu"),
        ("target", "cuda:x"),
        ("attempts", 0),
        ("attempts", True),
        ("attempts", "many"),
        ("budget_usd", -0.01),
        ("budget_usd", "nan"),
        ("budget_usd", "inf"),
        ("budget_tokens", -1),
        ("budget_calls", "few"),
        ("task_budget", "usd"),
        ("task_budget", "usd=-1"),
        ("attempt_budget", "dollars=1"),
        ("attempt_budget", {"calls": 1.5}),
        ("proposals", 0),
        ("patience", 0),
        ("time_limit_s", "soon"),
        ("time_limit_s", 0),
        ("time_limit_s", "-5"),
        ("time_limit_s", False),
        ("tolerance", "loose"),
        ("seed", -1),
        ("seed", 2**32),
        ("seed", 1.5),
        ("threads", 0),
        ("threads", "some"),
        ("store", ""),
    ],
)
def test_a_bad_value_is_one_sentence_with_key_value_and_source(
    places: Places, key: str, value: object
) -> None:
    error = places.refuse(**{key: value})
    assert error.message.startswith(f"{key} = {value!r} (from flag) is not valid: ")
    assert "\n" not in error.message
    assert error.hint


def test_an_allowance_is_a_text_or_a_table(places: Places) -> None:
    text = places.load(task_budget="usd=1.5, tokens=200000,calls=60, seconds=900").settings
    places.write_project("[task_budget]\nusd = 1.5\ntokens = 200000\ncalls = 60\nseconds = 900\n")
    assert places.load().settings.task_budget == text.task_budget
    assert (text.task_budget.usd, text.task_budget.seconds) == (1.5, 900.0)
    assert places.load(task_budget="").settings.task_budget == Allowance()


def test_a_bad_value_names_the_place_that_won(places: Places) -> None:
    places.write_project("seed = 'x'")
    assert f"(from {places.project_file})" in places.refuse().message
    places.env["KERNELWRIGHT_SEED"] = "y"
    assert "'y' (from KERNELWRIGHT_SEED)" in places.refuse().message
    assert places.load(seed=1).settings.seed == 1


def test_a_mistyped_choice_gets_the_closest_one(places: Places) -> None:
    assert "did you mean 'kernelbench'?" in (places.refuse(tolerance="kernel-bench").hint or "")


def test_an_unknown_key_in_a_file(places: Places) -> None:
    places.write_project("seed = 1\nattempt = 3\n")
    error = places.refuse(attempts=3)
    assert error.message == f"unknown setting 'attempt' in {places.project_file}"
    assert (error.hint or "").startswith("did you mean 'attempts'?")


def test_an_unknown_variable(places: Places) -> None:
    places.env["KERNELWRIGHT_ATTEMPT"] = "3"
    error = places.refuse()
    assert error.message == "unknown setting 'KERNELWRIGHT_ATTEMPT'"
    assert (error.hint or "").startswith("did you mean 'KERNELWRIGHT_ATTEMPTS'?")


@pytest.mark.parametrize("variable", ["KERNELWRIGHT_seed", "KERNELWRIGHT_", "KERNELWRIGHT_Seed"])
def test_a_variable_in_another_spelling_is_unknown(places: Places, variable: str) -> None:
    places.env[variable] = "3"
    assert places.refuse().message == f"unknown setting {variable!r}"


def test_a_file_that_is_not_toml(places: Places) -> None:
    places.write_project("seed: 1\n")
    assert f"{places.project_file} is not valid TOML" in places.refuse().message
    places.project_file.write_bytes(b"\xff\xfe")
    assert "is not valid TOML" in places.refuse().message


def test_a_file_that_cannot_be_read(places: Places) -> None:
    places.project_file.mkdir()
    assert f"{places.project_file} cannot be read" in places.refuse().message


def test_settings_are_frozen_and_documented() -> None:
    with pytest.raises(ValidationError):
        Settings().seed = 1  # type: ignore[misc]
    assert all(field.description for field in Settings.model_fields.values())


def test_settings_survive_json() -> None:
    settings = Settings(backends=("cpp",), threads=1, time_limit_s=1.5)
    assert Settings.model_validate_json(settings.model_dump_json()) == settings


def test_names_are_the_schemas() -> None:
    assert get_args(ToleranceName) == get_args(schema.ToleranceName)
    assert get_args(PolicyName) == get_args(schema.Policy)
    assert get_args(BlockName) == get_args(Block)
    assert get_args(UsesName) == get_args(schema.UsesRule)


def test_defaults_of_the_search_and_of_the_machine_are_those_of_the_settings() -> None:
    assert Settings().search_settings == schema.SearchSettings()
    assert Settings().machine == schema.MachineSpec()


def test_a_model_searches_until_its_budget_ends_and_offline_as_long_as_ever() -> None:
    own, offline = Settings(model="openai/one").search_settings, Settings().search_settings
    assert (own.attempts, own.time_limit_s, own.proposals, own.repairs) == (None, None, 4, 2)
    limits = (offline.attempts, offline.time_limit_s, offline.proposals, offline.repairs)
    assert limits == (12, 600.0, 1, 0)
    asked = Settings(model="openai/one", attempts=3, time_limit_s=60.0, proposals=1, repairs=0)
    found = asked.search_settings
    assert (found.attempts, found.time_limit_s, found.proposals, found.repairs) == (3, 60.0, 1, 0)
