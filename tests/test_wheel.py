"""Checks of the wheel: all files, no other top-level package, and use away from the tree."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
import tomllib
from pathlib import Path
from zipfile import ZipFile

import pytest

ROOT = Path(__file__).resolve().parent.parent
SOURCES = ("src", "agents", "prompts", "rl", "sandbox", "tasks", "verifier")
FILES = ("pyproject.toml", "README.md", "LICENSE")

pytestmark = pytest.mark.timeout(120)


def pip(*arguments: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "pip", "--disable-pip-version-check", *arguments],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build a wheel from a copy, so that no file stays in the tree and no stale one gets in."""
    tree, out = tmp_path_factory.mktemp("tree"), tmp_path_factory.mktemp("wheel")
    skip = shutil.ignore_patterns("__pycache__", "*.egg-info")
    for name in SOURCES:
        shutil.copytree(ROOT / name, tree / name, symlinks=True, ignore=skip)
    for name in FILES:
        shutil.copy(ROOT / name, tree / name)
    pip("wheel", "-q", "--no-deps", "--no-build-isolation", "--no-index", "-w", str(out), str(tree))
    (built,) = out.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def site(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    pip("install", "-q", "--no-deps", "--no-index", "--target", str(folder), str(wheel))
    return folder


def run_installed(site: Path, code: str) -> str:
    """Run `code` with the installed package and the dependencies, the repository out of reach."""
    dependencies = sorted({sysconfig.get_path("purelib"), sysconfig.get_path("platlib")})
    start = f"import sys\nsys.path += {[str(site), *dependencies]!r}\n"
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", start + code],
        cwd=site,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def files_in_tree() -> set[str]:
    """Return every file of the package, by its name in a wheel."""
    package = ROOT / "src" / "kernelwright"
    return {
        (Path(folder).relative_to(package.parent) / name).as_posix()
        for folder, _, names in os.walk(package, followlinks=True)
        if Path(folder).name != "__pycache__"
        for name in names
    }


def test_the_wheel_holds_the_whole_package_and_nothing_else(wheel: Path) -> None:
    names = {name for name in ZipFile(wheel).namelist() if not name.endswith("/")}
    code = {name for name in names if ".dist-info/" not in name}
    assert code == files_in_tree()
    assert {name.split("/")[0] for name in code} == {"kernelwright"}


@pytest.mark.parametrize(
    "pattern",
    [
        "py.typed",
        "llm/prices.toml",
        "report/*.j2",
        "prompts/templates/*",
        "kernels/sources/**/*",
        "tasks/library/*/reference.py",
        "agents/offline/__init__.py",
        "verifier/inside/worker.py",
    ],
)
def test_what_runs_need_is_installed(site: Path, pattern: str) -> None:
    assert [path for path in (site / "kernelwright").glob(pattern) if path.is_file()]


def test_no_other_top_level_package_is_installed(site: Path) -> None:
    names = {path.name for path in site.iterdir() if not path.name.endswith(".dist-info")}
    assert names == {"kernelwright", "bin"}


def test_the_command_line_works_from_the_wheel(site: Path) -> None:
    out = run_installed(
        site,
        "import kernelwright.cli.app as app\n"
        "print(app.__file__)\n"
        "sys.argv = ['kernelwright', '--help']\n"
        "app.main()\n",
    )
    assert out.splitlines()[0] == str(site / "kernelwright" / "cli" / "app.py")
    assert "Usage: kernelwright" in out


def test_every_package_imports_from_the_wheel(site: Path) -> None:
    packages = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"][
        "packages"
    ]
    out = run_installed(
        site,
        f"import importlib\nfor name in {packages!r}:\n"
        "    print(importlib.import_module(name).__file__)\n",
    )
    assert len(out.split()) == len(packages)
    assert all(Path(line).is_relative_to(site) for line in out.split())
