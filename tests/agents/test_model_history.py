"""The words on earlier attempts that models are told: none misleads."""

from __future__ import annotations

from kernelwright.agents.model.coder import coder_context
from kernelwright.agents.model.history import (
    diagnosis,
    last_right,
    tried,
    untested,
    unwritten,
    worked,
)
from kernelwright.agents.model.planner import REPAIR, planner_context
from kernelwright.agents.proposer import Idea, View
from kernelwright.schema import Attempt, Facts, IdeaCard, Move
from tests.agents.model_kit import BRIEF, attempt, file, view


def improve(parent: int) -> Move:
    return Move(operator="improve", parent=parent)


def repair(parent: int) -> Move:
    return Move(operator="repair", parent=parent)


def seen(*history: Attempt, move: Move) -> View:
    return view(*history, move=move)


FIRST = attempt(0, file(0), 2.0, plan="fuse", diagnosis="Fix: use AVX-512")
BROKEN = attempt(1, file(1), None, plan="tile", move=improve(0))
MENDED = attempt(2, file(2), 3.0, plan=f"{REPAIR}wrong constant", move=repair(1))


def test_an_idea_whose_repair_won_is_what_worked() -> None:
    shown = seen(FIRST, BROKEN, MENDED, move=improve(2))
    assert worked(shown) == ("fuse -> 2.00x eager", "tile -> 3.00x eager, 1.50x the step before")
    assert tried(shown) == untested(shown, "cpu") == ()


def test_wrong_code_leaves_its_idea_open_and_slower_code_does_not() -> None:
    again = attempt(2, file(2), None, plan=f"{REPAIR}it", move=repair(1))
    slow = attempt(3, file(3), 1.5, plan="prefetch", move=improve(0))
    shown = seen(FIRST, BROKEN, again, slow, move=improve(0))
    assert untested(shown, "cpu") == ("tile -> runtime_error: runtime_error in forward()",)
    assert tried(shown) == ("prefetch -> right, but 1.50x eager against 2.00x before",)


def test_a_repair_that_is_slower_is_told_as_its_idea() -> None:
    slower = attempt(2, file(2), 1.1, plan=f"{REPAIR}it", move=repair(1))
    shown = seen(FIRST, BROKEN, slower, move=improve(0))
    assert tried(shown) == ("tile -> right, but 1.10x eager against 2.00x before",)
    assert untested(shown, "cpu") == ()


def test_a_diagnosis_goes_when_a_child_has_used_it() -> None:
    assert diagnosis(seen(FIRST, move=improve(0))) == "Fix: use AVX-512"
    child = attempt(1, file(1), 1.5, plan="use AVX-512", move=improve(0))
    assert diagnosis(seen(FIRST, child, move=improve(0))) == ""


def test_a_repair_is_shown_its_idea_and_the_last_right_version() -> None:
    shown = seen(FIRST, BROKEN, move=repair(1))
    told = coder_context(shown, BRIEF, Idea(text=f"{REPAIR}x", backend="cpp"))
    assert told.meant == "tile" and told.code is not None and told.code.error
    assert told.last_right is not None and "VARIANT = 0" in told.last_right.source
    assert told.untested == ()
    alone = seen(BROKEN.model_copy(update={"move": Move()}), move=repair(1))
    assert alone.parent is not None and last_right(alone, alone.parent) is None


def test_edits_are_asked_for_where_the_language_stays() -> None:
    shown = seen(FIRST, move=improve(0))
    asked = {
        backend: coder_context(shown, BRIEF, Idea(text="x", backend=backend))
        for backend in ("cpp", "inductor")
    }
    assert asked["cpp"].edits and asked["cpp"].exemplar == ""
    assert not asked["inductor"].edits and asked["inductor"].code is not None


def test_policy_and_types_decide_what_is_said() -> None:
    own = planner_context(view(), BRIEF._replace(policy="custom"))
    assert own.backends == ("cpp",)
    drawn = [planner_context(view(position=i), BRIEF._replace(policy="custom")) for i in range(40)]
    assert not any("torch.mm" in move for one in drawn for move in one.moves)
    narrow = BRIEF._replace(facts=Facts(dtypes=("bfloat16",)))
    told = planner_context(view(), narrow)
    assert "takes bfloat16 operands" in told.precision and "TF32" not in told.accuracy
    drawn = [planner_context(view(position=i), narrow) for i in range(40)]
    assert any("16-bit" in move for one in drawn for move in one.moves)


def test_times_of_torch_compile_are_told_once_they_are_known() -> None:
    brief = BRIEF._replace(facts=Facts(times=("eager takes about 9 us",), roof=("1 us",)))
    assert planner_context(view(), brief).facts == ("eager takes about 9 us", "1 us")
    facts = planner_context(view(FIRST), brief).facts
    assert facts[1].startswith("torch.compile takes 27,533.3 us a call on 'default'")


CARDS = (IdeaCard(text="two rows", backend="cpp", expected=1.5), IdeaCard(text="fuse"))
OPEN = FIRST.model_copy(update={"ideas": CARDS, "idea": "1b"})


def test_open_ideas_are_told_by_name_and_not_to_independent_starts() -> None:
    shown = seen(OPEN, move=improve(0))
    assert unwritten(shown) == ("1a: two rows (cpp) -> 1.50x eager expected",)
    assert planner_context(shown, BRIEF).ideas == unwritten(shown)
    alone = seen(OPEN, move=Move(leads_on=False))
    assert planner_context(alone, BRIEF).ideas == ()


def test_an_idea_with_wrong_code_is_told_by_name() -> None:
    failed = attempt(1, file(1), None, plan="two rows at once", move=improve(0))
    shown = seen(OPEN, failed.model_copy(update={"idea": "1a"}), move=improve(0))
    assert unwritten(shown) == ()
    (line,) = untested(shown, "cpp")
    assert line.startswith("1a: two rows at once -> runtime_error")


def test_tuned_numbers_use_up_no_diagnosis_and_are_no_ideas() -> None:
    tune = Move(operator="tune", parent=0, point=(("TILE", 32),))
    tuned = attempt(1, file(1), 2.6, plan="tune: TILE=32", move=tune)
    slow = attempt(2, file(2), 1.1, plan="tune: TILE=8", move=tune)
    wrong = attempt(3, file(3), None, plan="tune: TILE=64", move=tune)
    known = (FIRST, tuned, slow, wrong)
    shown = seen(*known, move=improve(1))
    assert diagnosis(shown) == FIRST.diagnosis
    assert worked(shown)[-1] == "tune: TILE=32 -> 2.60x eager, 1.30x the step before"
    assert tried(shown) == untested(shown, "cpu") == ()
    used = attempt(4, file(4), 1.5, plan="tile", move=improve(1))
    assert diagnosis(seen(*known, used, move=improve(0))) == ""


def test_a_seed_that_was_wrong_is_no_open_idea() -> None:
    seed = attempt(0, file(0), None, plan="Library kernels: x", move=Move(operator="seed"))
    assert untested(seen(seed, move=Move()), "cpu") == ()
