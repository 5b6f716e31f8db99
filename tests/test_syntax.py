"""Syntax trees are made by one thread at a time."""

from __future__ import annotations

import ast
import threading
from pathlib import Path

import pytest

from kernelwright import syntax

ROOT = Path(__file__).resolve().parents[1]
FOLDERS = ("agents", "sandbox", "tasks", "verifier", "rl", "prompts", "src")
# Programs of other processes, and the module itself.
ELSEWHERE = ("verifier/inside/", "src/kernelwright/syntax.py")


def test_nobody_of_ours_calls_ast_parse() -> None:
    found = [
        place
        for folder in FOLDERS
        for path in sorted((ROOT / folder).rglob("*.py"))
        if not (place := path.relative_to(ROOT).as_posix()).startswith(ELSEWHERE)
        and "ast.parse(" in path.read_text()
    ]
    assert found == []


def test_another_thread_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    inside, most, usual = [0], [0], ast.parse

    def slow(source: str) -> ast.Module:
        inside[0] += 1
        most[0] = max(most[0], inside[0])
        threading.Event().wait(0.02)
        inside[0] -= 1
        return usual(source)

    monkeypatch.setattr(ast, "parse", slow)
    threads = [threading.Thread(target=syntax.parse, args=("x = 1",)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == [1]
