"""The prompt that a candidate is exported with is the one that it was written for."""

from __future__ import annotations

from kernelwright.rl.datasets.conversations import stored_prompt
from kernelwright.schema import Message, digest
from tests.store import samples

FIRST = (Message(role="system", content="You write."), Message(role="user", content="Fuse it."))
REPAIR = (FIRST[0], Message(role="user", content="Repair it."))
AGAIN = (*FIRST, Message(role="assistant", content="Hm."), Message(role="user", content="A file!"))


def test_an_answer_in_vain_to_a_later_prompt_is_not_the_candidates() -> None:
    origin = samples.candidate().origin.model_copy(
        update={"prompt_hash": digest([message.model_dump() for message in FIRST])}
    )
    made = samples.candidate().model_copy(update={"origin": origin})
    attempt = samples.attempt(0, made, evaluation=samples.evaluation(made))
    calls = [
        samples.call("Hm.", attempt=0, messages=FIRST),
        samples.call("a file", attempt=0, messages=AGAIN),
        samples.call("no repair", attempt=0, messages=REPAIR),
    ]
    shown = stored_prompt(attempt, calls)
    assert shown is not None and [m["content"] for m in shown] == [m.content for m in AGAIN]
    early = samples.candidate().model_copy(
        update={"origin": origin.model_copy(update={"prompt_hash": None})}
    )
    attempt = samples.attempt(0, early, evaluation=samples.evaluation(early))
    last = stored_prompt(attempt, calls)
    assert last is not None and last[-1]["content"] == "Repair it."
