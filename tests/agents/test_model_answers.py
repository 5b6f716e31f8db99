"""Reading typed answers and files out of whatever a model writes."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from kernelwright.agents.model.answers import BadAnswer, read_answer
from kernelwright.agents.model.coder import complete_file, read_written
from kernelwright.agents.model.planner import PlannerAnswer, read_plan
from kernelwright.agents.model.profiler import Diagnosis
from kernelwright.llm.base import Completion, Stop
from kernelwright.schema import Usage
from tests.agents.model_kit import DIAGNOSIS, PLAN, block, file
from tests.store import samples

WORDS = '{"bottleneck": " two passes ", "evidence": "line 3", "fix": "one pass"}'


def said(text: str, stop: Stop = "end") -> Completion:
    return Completion(text=text, stop=stop, usage=Usage(output_tokens=77), model="m")


@pytest.mark.parametrize(
    "text",
    [
        DIAGNOSIS,
        f"```json\n{DIAGNOSIS}\n```",
        f"I looked at {{x}} and at {{}}.\n\n{DIAGNOSIS}\nHope that helps! :-}}",
        f'First a wrong one: {{"bottleneck": "?"}}. Better:\n{DIAGNOSIS}',
        f'{{"fix": "a", "evidence": "b", "bottleneck": "c"}} or rather {DIAGNOSIS}',
        DIAGNOSIS.replace("}", ', "confidence": 0.9}'),
        DIAGNOSIS.replace('"two', '"  two'),
        f"<think>\n{WORDS.replace('two', 'three')}\n</think>\n{DIAGNOSIS}",
    ],
    ids=["bare", "fence", "prose", "draft", "two", "more", "spaces", "thoughts"],
)
def test_json_is_found(text: str) -> None:
    found = read_answer(said(text), Diagnosis)
    assert found == Diagnosis(bottleneck="two passes", evidence="line 3", fix="one pass")


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("Two passes, I think.", "no JSON object"),
        ("{}", "no JSON object"),
        (DIAGNOSIS.replace('"}', '",}'), "does not parse: .*line 1 column"),
        (DIAGNOSIS[:-1], "does not parse"),
        ('{"bottleneck": "a", "fix": "b"}', "evidence: Field required"),
        (DIAGNOSIS.replace('"one pass"', '" "'), "fix: String should have at least 1 character"),
        (DIAGNOSIS.replace('"one pass"', '["one", "two"]'), "fix: Input should be a valid string"),
        (DIAGNOSIS.replace("one pass", "\\ud800"), "surrogate|hex escape"),
        ('{"a":' * 100_000, "does not parse"),
        (" \n", "was empty"),
    ],
    ids="prose none comma open missing blank list surrogate deep empty".split(),
)
def test_no_repair_but_an_exact_complaint(text: str, complaint: str) -> None:
    with pytest.raises(BadAnswer, match=complaint):
        read_answer(said(text), Diagnosis)


@pytest.mark.parametrize(
    ("old", "new", "complaint"),
    [
        ('"cpp"', '"cuda"', "'cuda'; it must be one of: cpp, inductor"),
        (": 2}", ": -1}", "chosen.expected_speedup: Input should be greater than 0"),
        (": 2}", ": Infinity}", "expected_speedup|Infinity|JSON"),
        ('["one pass"]', "[]", "ideas: "),
        ('["one pass"]', '[{"text": "one", "expected_speedup": 0}]', "greater than 0"),
        ('{"change"', '[{"change"', "does not parse"),
    ],
)
def test_a_plan_has_ideas_and_one_change(old: str, new: str, complaint: str) -> None:
    assert isinstance(read_plan(said(PLAN), ("cpp", "inductor")), PlannerAnswer)
    with pytest.raises(BadAnswer, match=complaint):
        read_plan(said(PLAN.replace(old, new)), ("cpp", "inductor"))


def read_file(answer: Completion, reference: str, earlier: Sequence[str]) -> str:
    """Return the file of an answer, complete."""
    return complete_file(read_written(answer), reference, earlier)


@pytest.mark.parametrize("stop", ["max_tokens", "refusal"])
def test_a_cut_off_or_refused_answer_is_none_even_where_it_looks_whole(stop: Stop) -> None:
    expected = {
        "max_tokens": "cut off after 77 tokens, the most.*thoughts included",
        "refusal": "declined",
    }[stop]
    for text in (DIAGNOSIS, ""):
        with pytest.raises(BadAnswer, match=expected):
            read_answer(said(text, stop), Diagnosis)
    with pytest.raises(BadAnswer, match=expected):
        read_file(said(block(file(1)), stop), samples.REFERENCE, ())


@pytest.mark.parametrize(
    "text",
    [
        block(file(1)),
        f"~~~python\n{file(1)}~~~",
        f"````py title=x\n{file(1)}````\n",
        f"Before:\n```python\nclass Model: pass\n```\nAfter:\n{block(file(1))}Build it with\n"
        "```\ng++ -O3\n```\n",
        f"{block(file(1))}Once more:\n{block(file(1))}",
        file(1),
        f"```python\n{file(1)}",
        block(file(1)).replace("\n", "\r\n"),
        f"First idea:\n{block(file(2))}Better:\n{block(file(1))}",
        f"<think>\nA draft:\n{block(file(2))}</think>\n{block(file(1))}",
        f"A draft:\n{block(file(2))}</think>\n{block(file(1))}",
    ],
    ids="fence tildes four two twice bare open windows better thoughts untagged".split(),
)
def test_a_file_is_found(text: str) -> None:
    found = read_file(said(text), samples.REFERENCE, ())
    assert found.replace("\r\n", "\n") == file(1)
    assert found.strip() in text


SYNTAX = block(file(1).replace("def forward", "deff forward"))
UNCHANGED = samples.REFERENCE.replace("Model(nn", "ModelNew(nn")


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("Use AVX2 and tile for L1.", "no code block"),
        (block("print('hello')\n"), "No code block in your answer defines `class ModelNew`"),
        (f"<think>\n{block(file(1))}", "no code block"),
        (SYNTAX, "not valid Python: invalid syntax, line 9: deff forward"),
        (block("class ModelNew:\n    x = 1\0\n"), "not valid Python: .*null bytes"),
        (block(file("x").replace("'x'", "-" * 100_000 + "1")), "not valid Python"),
        (block("text = '''\nclass ModelNew:\n'''\n"), "no top-level `class ModelNew`"),
        (block(UNCHANGED), "the reference again"),
        (block("# faster\nimport math\n" + UNCHANGED), "the reference again"),
        (block(file("tried")), "same as one that was tried before"),
        (block("# new\n" + file("tried").replace("'tried'", '"tried"')), "same as one"),
    ],
    ids="prose other thoughts syntax null deep string reference comments same layout".split(),
)
def test_a_file_that_is_worth_nothing_is_refused(text: str, complaint: str) -> None:
    earlier = ["this is ( no Python", file("tried")]
    with pytest.raises(BadAnswer, match=complaint):
        read_file(said(text), samples.REFERENCE, earlier)


def test_an_import_makes_a_file_new() -> None:
    repaired = "import math\n" + file(1)
    assert read_file(said(block(repaired)), samples.REFERENCE, [file(1)]) == repaired


def test_a_changed_helper_is_not_the_reference() -> None:
    reference = "def helper(x):\n    return x + 1\n\n\n" + samples.REFERENCE
    changed = reference.replace("x + 1", "1 + x").replace("Model(nn", "ModelNew(nn")
    assert read_file(said(block(changed)), reference, ()).strip() == changed.strip()
