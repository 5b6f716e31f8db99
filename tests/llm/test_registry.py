"""Opening models by name, and the errors of wrong names."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from kernelwright.errors import PrerequisiteError, UsageError
from kernelwright.llm.base import Request
from kernelwright.llm.registry import known_models, open_model
from kernelwright.schema import Message
from tests.llm.conftest import KEY, LONG_S
from tests.llm.loopback import Loopback, anthropic_answer, openai_answer


@pytest.mark.parametrize("provider", ["openai", "anthropic"])
def test_a_missing_key_is_named(provider: str, monkeypatch: pytest.MonkeyPatch) -> None:
    variable = f"{provider.upper()}_API_KEY"
    for value in ("", "  "):
        monkeypatch.setenv(variable, value)
        with pytest.raises(PrerequisiteError, match=variable) as caught:
            open_model(f"{provider}/m")
        assert caught.value.hint is not None and "offline" in caught.value.hint


def test_a_service_needs_a_key_and_an_address(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(PrerequisiteError, match="MY_LAB_API_KEY"):
        open_model("openai-api/my-lab/m")
    monkeypatch.setenv("MY_LAB_API_KEY", KEY)
    with pytest.raises(PrerequisiteError, match="MY_LAB_BASE_URL"):
        open_model("openai-api/my-lab/m")
    monkeypatch.setenv("MY_LAB_BASE_URL", "localhost:8000/v1")
    with pytest.raises(PrerequisiteError, match="no address: 'localhost:8000/v1'"):
        open_model("openai-api/my-lab/m")


def test_a_key_that_no_header_can_carry_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-\u2026")
    with pytest.raises(PrerequisiteError, match="OPENAI_API_KEY") as caught:
        open_model("openai/m")
    assert "sk-" not in caught.value.message


@pytest.mark.parametrize("provider", ["openai", "anthropic"])
def test_the_providers_variables_are_honoured(
    provider: str, loopback: Loopback, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(f"{provider.upper()}_API_KEY", KEY)
    monkeypatch.setenv(f"{provider.upper()}_BASE_URL", loopback.url)
    loopback.script(openai_answer("hi") if provider == "openai" else anthropic_answer("hi"))
    llm = open_model(f"{provider}/some-model")
    question = Request(messages=(Message(role="user", content="hello"),), max_tokens=9)
    answer = llm.complete(question, deadline_s=LONG_S)
    assert (llm.name, answer.text) == (f"{provider}/some-model", "hi")
    assert loopback.asked[0].body["model"] == "some-model"
    assert KEY not in repr(vars(llm))


@pytest.mark.parametrize(
    ("name", "suggestion"),
    [("opnai/gpt-5", "openai/NAME"), ("antropic/claude", "anthropic/NAME"), ("gpt-5", "known:")],
)
def test_an_unknown_name_answers_with_what_exists(name: str, suggestion: str) -> None:
    with pytest.raises(UsageError, match=f"unknown model '{name}'") as caught:
        open_model(name)
    assert caught.value.hint is not None and suggestion in caught.value.hint
    assert all(known in caught.value.hint for known in known_models())


@pytest.mark.parametrize("name", ["openai", "anthropic/", "openai-api/x", "openai-api//m"])
def test_a_name_without_a_model_is_a_usage_error(name: str) -> None:
    with pytest.raises(UsageError, match="no model|no service"):
        open_model(name)


def test_a_recording_is_opened_by_its_path(tmp_path: Path) -> None:
    (tmp_path / "r.jsonl").touch()
    assert open_model(f"replay:{tmp_path}/r.jsonl").name == f"replay:{tmp_path}/r.jsonl"


def test_a_dotted_path_is_called_without_arguments(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "own_model.py").write_text(
        "class Own:\n    name = 'own/model'\n    def complete(self): ...\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    assert open_model("own_model:Own").name == "own/model"
    with pytest.raises(UsageError, match="own_model has no 'Other'"):
        open_model("own_model:Other")
    with pytest.raises(UsageError, match="cannot import no.such.module"):
        open_model("no.such.module:factory")


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("os:system", "os:system cannot be called without arguments"),
        ("builtins:min", "cannot be called without arguments"),
        ("os:environ", "os:environ is not a language model, but of type '_Environ'"),
        ("os:path", "of type 'module'"),
        ("os:getcwd", r"what os:getcwd returns is not a language model: it has no complete\(\)"),
        ("pathlib:Path", r"pathlib:Path is not a language model: it has no complete\(\)"),
    ],
)
def test_what_is_no_model_is_a_usage_error(name: str, words: str) -> None:
    with pytest.raises(UsageError, match=words) as caught:
        open_model(name)
    assert caught.value.hint is not None and "complete()" in caught.value.hint


def test_a_module_that_is_no_python_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "torn_model.py").write_text("class Own(:\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(UsageError, match="cannot import torn_model: invalid syntax"):
        open_model("torn_model:Own")


def test_an_installed_entry_point_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "my_lab.py").write_text(
        "class Mine:\n    def __init__(self, model):\n        self.name = f'lab/{model}'\n"
        "    def complete(self): ...\n"
    )
    info = tmp_path / "my_lab-1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: my-lab\nVersion: 1\n")
    (info / "entry_points.txt").write_text("[kernelwright.llm]\nlab = my_lab:Mine\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    assert open_model("lab/a/b").name == "lab/a/b"
    assert "lab/NAME" in known_models()
    with pytest.raises(UsageError, match="no model in 'lab'"):
        open_model("lab")


def test_importing_the_package_imports_no_sdk() -> None:
    code = "import sys, kernelwright.llm; print({'openai', 'anthropic'} & set(sys.modules))"
    path = os.pathsep.join(entry for entry in sys.path if entry)
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == "set()"
