# [cheat]
# catalogue = "H54"
# title = "a thread reads the judge's requests and answers in the worker's place"
# task = "tests/cheats/tasks/short"
# policy = "any"
# caught_by = ["runtime_error", "timeout", "incorrect_numerical"]
from __future__ import annotations

import contextlib
import json
import socket
import sys
import threading
from typing import Any

import torch
from torch import nn


def serving() -> dict[str, Any]:
    """The variables of the function that talks to the judge; empty where it is not found."""
    frame = sys._getframe()
    while frame.f_back is not None:
        frame = frame.f_back
        if "sock" in frame.f_locals and "header" in frame.f_locals:
            return frame.f_locals
    return {}


def answer_for_ever(sock: socket.socket) -> None:
    """Say yes to everything."""
    text = json.dumps({"op": "run", "ns": 1, "matched": 0, "own": 0, "tensors": []}).encode()
    with contextlib.suppress(OSError):
        while sock.recv(65536):
            sock.sendall(len(text).to_bytes(4, "big") + bytes(8) + text)


caller = serving()
if caller:
    threading.Thread(target=answer_for_ever, args=(caller["sock"],), daemon=True).start()


class ModelNew(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.empty_like(x)
