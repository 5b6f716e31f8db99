"""`--target auto`: it means the CPU, and a line says where that leaves a GPU unused."""

from __future__ import annotations

import pytest
import torch

from kernelwright.cli.machine import UNUSED_GPU, command_machine
from kernelwright.config import Settings
from kernelwright.errors import PrerequisiteError
from kernelwright.sandbox.machine import resolve_device


@pytest.mark.parametrize(
    ("target", "gpus", "said"),
    [("auto", 1, f"{UNUSED_GPU}\n"), ("auto", 0, ""), ("cpu", 1, "")],
)
def test_a_gpu_is_left_alone_unless_asked_for(
    target: str,
    gpus: int,
    said: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: gpus)
    with command_machine(Settings(target=target, sandbox="process")) as machine:
        assert machine.device == "cpu"
    assert capsys.readouterr() == ("", said)


def test_a_gpu_that_is_asked_for_must_be_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    assert resolve_device("cuda") == "cuda:0"
    with pytest.raises(PrerequisiteError, match="GPU 1"):
        resolve_device("cuda:1")
