"""Tests of hot lines: where a C++ candidate spends its time, as seen from outside."""

from __future__ import annotations

from pathlib import Path

import pytest

from kernelwright.backends.cpp import Cpp
from kernelwright.kernels.cpp import candidate_file
from kernelwright.kernels.library import Part
from kernelwright.schema import HotLine, Level, OwnCode
from kernelwright.tasks.loader import load_task
from kernelwright.verifier.build.build import build_candidate
from kernelwright.verifier.build.cache import Build
from kernelwright.verifier.judge import Judge
from kernelwright.verifier.levels import EFFORTS
from kernelwright.verifier.profiling.own_code import own_code
from kernelwright.verifier.reference.calls import run_once
from kernelwright.verifier.reference.candidates import load_candidate, start_candidate
from tests.honest.corpus import load_corpus
from tests.verifier import kit

LEVELS: tuple[Level, ...] = ("fast", "standard")
HOT = "s = s * 0.5f + x[i];"
SMOOTH = f"""#include <cstdint>
extern "C" void smooth(const float* x, float* y, int64_t n) {{
  float s = 0;
  for (int64_t i = 0; i < n; ++i) {{
    {HOT}
    y[i] = s;
  }}
}}
"""
FORWARD = """
class ModelNew(nn.Module):
    def forward(self, x):
        y = torch.empty_like(x)
        smooth_cpp(x.data_ptr(), y.data_ptr(), x.numel())
        return y
"""
TASK = """
class Model(nn.Module):
    def forward(self, x):
        return x * 0.5

def get_inputs():
    return [torch.randn(256, 1024)]

def get_init_inputs():
    return []
"""


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> OwnCode | None:
    """The profile of a recurrence, which nothing can vectorise."""
    cache: Path = tmp_path_factory.mktemp("cache")
    text = candidate_file("A recurrence.", [Part("smooth", SMOOTH)], FORWARD)
    candidate = kit.candidate(text, "cpp")
    with kit.live_reference(kit.task(TASK)) as reference:
        prepared = reference.prepare(reference.workloads()[0]).prepared
        build = build_candidate(candidate, Cpp(), reference, cache)
        client = start_candidate(reference, candidate, build.folder)
        try:
            instance = load_candidate(client, candidate, prepared).instance
            run_once(instance, prepared, [prepared.example_inputs])
            return own_code(instance, candidate, 1000.0, build.object_code.missed)
        finally:
            client.process.kill()


def test_the_hot_line_is_found_with_its_text(found: OwnCode | None) -> None:
    assert found is not None
    assert found.samples >= 50
    assert found.share > 0.8
    assert len(found.busy) == 1 and found.busy[0] > 0.5
    # The file puts an empty line in front. The store waits for the number, and has its samples.
    known = {5: "for (int64_t i = 0; i < n; ++i) {", 6: HOT, 7: "y[i] = s;"}
    lines = {line.line: line for line in found.lines if line.line is not None}
    assert all(line.text == known.get(number, line.text) for number, line in lines.items())
    assert found.lines[0].line in (6, 7)
    assert all(line.function == "smooth" for line in found.lines)
    assert any("ss" in text for text, _ in found.lines[0].instructions)
    assert 0.9 < sum(line.share for line in found.lines) <= 1.0 + 1e-9


def test_the_compilers_reason_comes_with_a_scalar_line(found: OwnCode | None) -> None:
    assert found is not None
    assert found.lines[0].missed


def test_verdicts_have_hot_lines_from_standard_on_and_profiles_have(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    quick = EFFORTS["standard"].model_copy(update={"baselines": ("eager",), "uses_s": 0.0})
    monkeypatch.setitem(EFFORTS, "standard", quick)
    pair = next(pair for pair in load_corpus() if pair.name == "softmax/library-default")
    with kit.live_reference(load_task("softmax", {"ROWS": 128})) as reference:
        judge = Judge(reference, tmp_path)
        fast, standard = (judge.evaluate(pair.candidate, level) for level in LEVELS)
        build = judge.build(pair.candidate, "fast")
        assert isinstance(build, Build)
        profiled = judge.profile(pair.candidate, build)
    assert fast.evidence is not None and fast.evidence.own_code is None
    assert profiled.level == "fast"
    assert profiled.evidence is not None and profiled.evidence.own_code is not None
    assert standard.evidence is not None and standard.evidence.own_code is not None
    hottest = standard.evidence.own_code.lines[0]
    assert hottest.text in pair.candidate.source and hottest.text
    assert hottest.missed is None  # it is vector code
    assert standard.model_validate_json(standard.model_dump_json()) == standard


def test_a_profile_in_words() -> None:
    line = HotLine(
        share=0.62,
        function="smooth",
        line=5,
        text=HOT,
        instructions=(("vfmadd132ss %xmm1,%xmm2,%xmm0", 0.4),),
        missed="value used after the loop",
    )
    unknown = line.model_copy(update={"line": None, "text": "", "missed": None, "share": 0.3})
    words = OwnCode(samples=300, share=0.9, busy=(0.98, 0.5), lines=(line, unknown)).words
    assert words == [
        "threads compute for 98%, 50% of the time; "
        "own code has 90% of the samples that compute (300; an instruction also has those of one "
        "that it waits for)",
        f"62% in line 5 `{HOT}`: vfmadd132ss %xmm1,%xmm2,%xmm0 40%; "
        "its loop is not vectorised: value used after the loop",
        "30% in function smooth: vfmadd132ss %xmm1,%xmm2,%xmm0 40%",
    ]
