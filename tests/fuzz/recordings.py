"""Honest sessions on small modules, recorded with the memory that their answers name."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any, NamedTuple
from unittest.mock import patch

import torch

from kernelwright.tasks.kinds.module import MODULE
from kernelwright.verifier.inside import worker
from kernelwright.verifier.inside.kinds import module
from kernelwright.verifier.worker.instance import Instance
from kernelwright.verifier.worker.tensor_tree import TensorTree
from tests.fuzz.honest import KEY, Subject, inside, subject
from tests.fuzz.sessions import PLAYS, Taken, Watched, readable

HEAD = """
import torch
from torch import nn

def get_init_inputs():
    return [3, (torch.ones(2), None)]

def get_inputs():
    return [torch.randn(4, 6), torch.randint(0, 9, (3,)), 2.5]

class Model(nn.Module):
    def __init__(self, size, more):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(6, 3))
"""
BODIES = {
    "plain": """
    def forward(self, x, i, f):
        return torch.relu(x @ self.weight) * f
""",
    "nest": """
    def forward(self, x, i, f):
        y = x @ self.weight
        z = torch.complex(y, y + 1).conj()
        return {"a": (y.T * f, i + 1), "b": [z, 3, None], "c": y > 0, "d": y.bfloat16()[:, ::2]}
""",
    "stateful": """
        self.register_buffer("mean", torch.zeros(3))
        self.register_buffer("count", torch.tensor(0))

    def forward(self, x, i, f):
        y = x @ self.weight
        self.mean += y.mean(0)
        self.count += 1
        return y - self.mean
""",
}
# Sizes that the worker measures with: only the answers matter here.
SMALL = {"COPY_BYTES": 2**12, "PRODUCT_SIZE": {"cpu": 8}}
WANTED = [
    ("plain", "verdict", True), ("plain", "verdict", False), ("plain", "extras", True),
    ("nest", "verdict", True), ("nest", "verdict", False), ("nest", "introduction", True),
    ("nest", "values", True), ("nest", "values", False),
    ("stateful", "verdict", True), ("stateful", "introduction", True),
]  # fmt: skip


class Session(NamedTuple):
    """A recorded session."""

    name: str
    play: Any
    readable: bool
    subject: Subject
    frames: list[bytes]
    taken: list[Taken]
    told: list[TensorTree]
    """States of the module."""
    decoys: list[int]
    """Addresses of memory that holds no right result."""
    shared: int
    kept: Any


@functools.cache
def recordings() -> list[Session]:
    """Return all sessions; they are made once, in this process."""
    subjects = {name: subject(HEAD + body) for name, body in BODIES.items()}
    return [record(subjects[name], f"{name} {play}", play, can) for name, play, can in WANTED]


def record(of: Subject, name: str, play: str, can_read: bool) -> Session:
    """Let the judge talk to an honest worker."""
    small = patch.dict(vars(worker), SMALL)
    with inside() as process, readable(can_read), small:
        client = Watched(process)
        for file in ("candidate.py", "reference.py"):
            (process.folder / file).write_text(of.candidate.source)
        (process.folder / "adapter.py").write_text(Path(module.__file__).read_text())
        client.folder = f"{process.folder}/"
        Instance.load(
            client, MODULE, KEY, client.write("reference.py", ""), "Model", of.prepared.init
        )
        process.channel.recorded.clear()
        PLAYS[play](client, of)
    decoys = _decoys(of)
    return Session(
        name + ("" if can_read else ", memory unreadable"),
        PLAYS[play], can_read, of, process.channel.recorded, client.taken, client.told,
        [tensor.data_ptr() for tensor in decoys], process.shared, (process, decoys),
    )  # fmt: skip


def _decoys(of: Subject) -> list[torch.Tensor]:
    found = [torch.zeros(4096, dtype=torch.uint8), torch.full((4096,), 255, dtype=torch.uint8)]
    for case in of.cases:
        for tensor in case.expected.values.tensors:
            wrong = tensor.resolve_conj() + 1 if tensor.dtype != torch.bool else ~tensor
            found.append(torch.empty_strided(tensor.size(), tensor.stride(), dtype=tensor.dtype))
            found[-1].copy_(wrong)
    return found
