"""`optimize -m`: real SDK clients against a loopback provider, through the real command line."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from tests.agents.model_kit import DIAGNOSIS, block
from tests.cli.kit import TASK, Shell
from tests.llm.loopback import Asked, Loopback, Reply, openai_answer, openai_error, openai_usage

PLAN = json.dumps(
    {
        "ideas": ["one exp instead of two"],
        "chosen": {"change": "Share the sigmoid.", "backend": "torch", "expected_speedup": 1.1},
    }
)
REWRITTEN = (
    TASK.split("def get_inputs")[0]
    .replace("class Model(", "class ModelNew(")
    .replace("torch.nn.functional.silu(x) + x * 0.5", "x * (torch.sigmoid(x) + 0.5)")
)
SECRET = "sk-loopback-secret"


@pytest.fixture
def provider() -> Iterator[Loopback]:
    server = Loopback()
    yield server
    server.close()


def answer(asked: Asked) -> Reply:
    """Return what the scripted model says to each role."""
    system = str(asked.body["messages"][0]["content"]).lower()
    usage = openai_usage(1000, 100)
    if '"ideas"' in system:
        return openai_answer(PLAN, usage=usage)
    return openai_answer(DIAGNOSIS if '"bottleneck"' in system else block(REWRITTEN), usage=usage)


def test_a_model_proposes_and_the_judge_decides(shell: Shell, provider: Loopback) -> None:
    provider.respond = answer
    task = shell.write("task.py", TASK)
    model = ("-m", "openai/gpt-4o", "-b", "torch", "-n", "1", "--target", "cpu")
    env = {"OPENAI_API_KEY": SECRET, "OPENAI_BASE_URL": provider.url + "/v1"}
    done = shell.run("optimize", task, *model, "--json", **env)
    document = json.loads(done.out)
    assert done.code in (0, 1), done.err
    assert document["candidate"]["origin"]["kind"] == "model"
    assert document["candidate"]["origin"]["model"] == "openai/gpt-4o"
    assert document["verdict"]["accepted"] is True
    assert document["usage"]["input_tokens"] == 2000  # planner and coder, each paid once
    assert document["usage"]["cost_usd"] > 0
    assert len(provider.asked) == 2
    (report,) = shell.folder.glob("runs/*/report.html")
    assert SECRET not in done.out + done.err + report.read_text()
    run_id = document["run_id"]
    rows = shell.run("export", run_id, "--format", "attempts", "--out", "rows.jsonl")
    assert rows.code == 0 and SECRET not in (shell.folder / "rows.jsonl").read_text()


@pytest.mark.parametrize(
    ("reply", "words"),
    [
        (openai_error(401, "bad key", "invalid_api_key"), ["401", "OPENAI_API_KEY"]),
        (openai_error(400, "no such parameter"), ["400"]),
    ],
)
def test_a_provider_that_refuses(
    shell: Shell, provider: Loopback, reply: Reply, words: list[str]
) -> None:
    provider.respond = lambda asked: reply
    env = {"OPENAI_API_KEY": SECRET, "OPENAI_BASE_URL": provider.url + "/v1"}
    task = shell.write("task.py", TASK)
    done = shell.run("optimize", task, "-m", "openai/gpt-4o", "-b", "torch", **env)
    assert done.code == 3 and all(word in done.out for word in words), done.out + done.err
    assert SECRET not in done.out + done.err and "Traceback" not in done.err
    assert "3 attempts in a row without an answer" in done.err
    assert len(provider.asked) == 8  # planners and coders of one round
    assert shell.left_processes() == [] and shell.left_files() == []
    listed = json.loads(shell.run("runs", "list", "--json").out)
    assert [run["status"] for run in listed] == ["done"]
    assert shell.run("runs", "resume", listed[0]["id"], **env).code == 3  # it is open


@pytest.mark.parametrize(
    ("budget", "words"), [("0", "$0 of $0 used"), ("0.01", "the next call may take up to")]
)
def test_a_budget_for_no_call_is_refused_before_anything_is_done(
    shell: Shell, provider: Loopback, budget: str, words: str
) -> None:
    env = {"OPENAI_API_KEY": SECRET, "OPENAI_BASE_URL": provider.url + "/v1"}
    task = shell.write("task.py", TASK)
    done = shell.run("optimize", task, "-m", "openai/gpt-4o", "--budget-usd", budget, **env)
    assert done.code == 2 and provider.asked == [] and words in done.err, done.err
    assert "hint: --budget-usd" in done.err
    assert json.loads(shell.run("runs", "list", "--json").out) == []
