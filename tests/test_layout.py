"""Checks of the package list, the links, the import contracts and the cold start."""

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "src" / "kernelwright"
LINKED = {"agents", "prompts", "rl", "sandbox", "tasks", "verifier"}
INSIDE = "kernelwright.verifier.inside"
HEAVY = {
    "anthropic",
    "datasets",
    "jinja2",
    "langgraph",
    "numpy",
    "openai",
    "optuna",
    "sqlalchemy",
    "torch",
}
MOST_MODULES = 500
"""Most modules that `--help` may load on top of a bare interpreter; typer, rich and pydantic have
about 400."""


@pytest.fixture(scope="module")
def pyproject() -> dict[str, Any]:
    return tomllib.loads((ROOT / "pyproject.toml").read_text())


def packages_in_tree() -> set[str]:
    found = (Path(folder) for folder, _, _ in os.walk(PACKAGE, followlinks=True))
    return {
        ".".join(folder.relative_to(PACKAGE.parent).parts)
        for folder in found
        if (folder / "__init__.py").is_file()
    }


def modules_in(folder: Path) -> set[str]:
    """Return the names of the modules and packages in a folder."""
    found = {path.stem for path in folder.iterdir() if path.suffix == ".py" or path.is_dir()}
    return found - {"__init__", "__main__", "__pycache__"}


def imported_by(path: Path) -> set[str]:
    """Return the top-level names that a file imports anywhere in its text."""
    nodes = list(ast.walk(ast.parse(path.read_text())))
    plain = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    froms = {node.module or "" for node in nodes if isinstance(node, ast.ImportFrom)}
    return {name.partition(".")[0] for name in plain | froms}


def test_every_package_is_listed_for_installation(pyproject: dict[str, Any]) -> None:
    listed = pyproject["tool"]["setuptools"]["packages"]
    assert len(listed) == len(set(listed))
    assert set(listed) == packages_in_tree()


def test_only_kernelwright_is_installed_at_the_top(pyproject: dict[str, Any]) -> None:
    listed = pyproject["tool"]["setuptools"]["packages"]
    assert {name.split(".")[0] for name in listed} == {"kernelwright"}


def test_links_and_package_folders_agree(pyproject: dict[str, Any]) -> None:
    links = {path.name: os.readlink(path) for path in PACKAGE.iterdir() if path.is_symlink()}
    assert links == {name: f"../../{name}" for name in LINKED}
    folders = pyproject["tool"]["setuptools"]["package-dir"]
    assert folders == {
        "kernelwright": "src/kernelwright",
        **{f"kernelwright.{name}": name for name in LINKED},
    }


@pytest.mark.skipif(not (ROOT / ".git").exists(), reason="not a git checkout")
def test_links_are_committed_as_links() -> None:
    listing = subprocess.run(
        ["git", "ls-files", "--stage", *(f"src/kernelwright/{name}" for name in sorted(LINKED))],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    ).stdout.splitlines()
    assert len(listing) == len(LINKED)
    assert {line.split()[0] for line in listing} == {"120000"}


def test_every_module_has_its_place_in_the_import_direction(pyproject: dict[str, Any]) -> None:
    contracts = pyproject["tool"]["importlinter"]["contracts"]
    layers = next(c["layers"] for c in contracts if c["type"] == "layers")
    named = {name.strip() for layer in layers for name in layer.split("|")}
    placed = {name for name in named if not name.startswith("(")}
    prompts = {f"kernelwright.prompts.{name}" for name in modules_in(PACKAGE / "prompts")}
    others = {f"kernelwright.{name}" for name in modules_in(PACKAGE)} - {"kernelwright.prompts"}
    assert placed == others | (prompts - {"kernelwright.prompts.templates"})


def test_one_folder_each_imports_langgraph_and_the_providers(pyproject: dict[str, Any]) -> None:
    contracts = pyproject["tool"]["importlinter"]["contracts"]
    free = {
        tuple(contract["forbidden_modules"]): {
            name for name in packages_in_tree() if name.count(".") == 1
        }
        - set(contract["source_modules"])
        for contract in contracts
        if contract["name"].startswith("only ")
    }
    assert free == {
        ("langgraph",): {"kernelwright.agents"},
        ("openai", "anthropic"): {"kernelwright.llm"},
    }


def test_the_wall_is_closed_to_every_module_of_ours(pyproject: dict[str, Any]) -> None:
    contracts = pyproject["tool"]["importlinter"]["contracts"]
    (wall,) = (c for c in contracts if c.get("source_modules") == [INSIDE])
    ours = {f"kernelwright.{name}" for name in modules_in(PACKAGE)}
    verifiers = {f"kernelwright.verifier.{name}" for name in modules_in(PACKAGE / "verifier")}
    assert set(wall["forbidden_modules"]) == (ours | verifiers) - {"kernelwright.verifier", INSIDE}


def test_what_runs_inside_imports_the_standard_library_and_torch_alone() -> None:
    files = sorted((ROOT / "verifier" / "inside").rglob("*.py"))
    assert len(files) > 1
    allowed = {*sys.stdlib_module_names, "torch", "triton"}
    assert {path.name: imported_by(path) - allowed for path in files} == {
        path.name: set() for path in files
    }


def test_every_dependency_has_one_public_pin_that_fits(pyproject: dict[str, Any]) -> None:
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    pins = dict(line.split("==") for line in lines if not line.startswith("#"))
    assert list(pins) == sorted(pins)
    assert not [name for name, version in pins.items() if "+" in version or "/" in version]
    project = pyproject["project"]
    asked = project["dependencies"] + sum(project["optional-dependencies"].values(), [])
    for requirement in map(Requirement, asked):
        assert requirement.specifier.contains(pins[canonicalize_name(requirement.name)])


def modules_after(code: str) -> set[str]:
    """Return the names that `code` adds to `sys.modules` of a fresh interpreter."""
    script = (
        f"import sys\nbefore = set(sys.modules)\n{code}\n"
        "import json\nprint('\\n' + json.dumps(sorted(set(sys.modules) - before)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        env={**os.environ, "PYTHONPATH": str(ROOT / "src")},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return set(json.loads(done.stdout.splitlines()[-1]))


@pytest.mark.parametrize(
    "code",
    [
        "import kernelwright.cli.app",
        "import kernelwright.config",
        "import kernelwright.schema",
        "import kernelwright.cli.app\n"
        "sys.argv = ['kernelwright', '--help']\n"
        "try:\n    kernelwright.cli.app.main()\nexcept SystemExit as done:\n"
        "    assert not done.code, done.code",
    ],
    ids=["cli", "config", "schema", "help"],
)
def test_a_cold_start_is_light(code: str) -> None:
    loaded = modules_after(code)
    assert {name.split(".")[0] for name in loaded} & HEAVY == set()
    assert len(loaded) < MOST_MODULES


def test_names_are_checked_before_anything_heavy_is_imported() -> None:
    loaded = modules_after("import kernelwright.cli.names")
    assert {name.split(".")[0] for name in loaded} & HEAVY == set()
