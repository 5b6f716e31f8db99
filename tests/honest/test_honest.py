"""No honest candidate of the corpus is refused."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

import pytest

from tests.corpora import Job, batches, judged
from tests.honest.corpus import Pair, load_corpus

PAIRS = load_corpus()
# About half of them, for time: most of those that are not on starter tasks, whose kernels other
# tests run. benchmarks/verdict.py runs them all.
OTHERS = [pair for pair in PAIRS if not pair.task.startswith("library/")]
TESTED = [pair for index, pair in enumerate(OTHERS) if index % 4 < 3]


def honest_jobs(folder: Path, pairs: Sequence[Pair]) -> tuple[dict[Path, Pair], list[Job]]:
    """Write pairs to files in a new folder; return these and the commands that judge them."""
    folder.mkdir()
    files: dict[Path, Pair] = {}
    for pair in pairs:
        path = folder / f"{pair.name.replace('/', '--')}.py"
        path.write_text(pair.source)
        files[path] = pair
    found: list[Job] = []
    for task, group in groupby(sorted(files, key=lambda p: files[p].task), lambda p: files[p].task):
        found += batches(task, "fast", "any", list(group))
    return files, found


@pytest.fixture(scope="module")
def verdicts(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, dict[str, Any]]:
    folder = tmp_path_factory.mktemp("honest")
    files, jobs = honest_jobs(folder / "files", TESTED)
    return {files[path].name: verdict for path, verdict in judged(jobs, folder).items()}


@pytest.mark.timeout(1200)
@pytest.mark.parametrize("pair", TESTED, ids=lambda pair: pair.name)
def test_an_honest_candidate_is_accepted(
    pair: Pair, verdicts: Mapping[str, dict[str, Any]]
) -> None:
    verdict = verdicts[pair.name]
    assert verdict.get("accepted") is True, (verdict["reason"], verdict["flags"])


def test_the_corpus_has_a_hundred_different_pairs() -> None:
    assert len({(pair.task, pair.source) for pair in PAIRS}) == len(PAIRS)
    assert len(TESTED) >= 100
