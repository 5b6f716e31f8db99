"""Every kernel of the library through the judge, and as the plain file that a user gets."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import pytest

from kernelwright.agents.offline.design import design
from kernelwright.agents.offline.emit import forward_arguments, library_candidate
from kernelwright.agents.offline.trace import trace
from kernelwright.schema import Candidate, Origin, WorkloadResult
from kernelwright.tasks.loader import library_ids, load_task
from kernelwright.verifier.correctness.check import WorkloadCheck
from kernelwright.verifier.levels import EFFORTS
from tests.agents.offline_kit import library_graph
from tests.verifier import kit

# The two cores of a small machine; no result here depends on time.
WORKERS = 2


def library_file(identity: str) -> str:
    """Return the candidate file that is made for a task from its traced graph."""
    task = load_task(identity)
    arguments = forward_arguments(task.source)
    assert arguments is not None
    plan = design(library_graph(identity), arguments)
    return library_candidate(task.source, f"Kernels for {identity}.", plan, {})


def checked(identity: str, source: str) -> list[WorkloadResult]:
    """Return the judge's findings on values, on both CPU workloads. Raises what the judge does."""
    candidate = Candidate(source=source, backend="cpp", origin=Origin(kind="offline"))
    task = load_task(identity)
    with (
        kit.live_reference(task) as reference,
        kit.worker_with(reference.machine, task.limits) as client,
    ):
        prepared = [reference.prepare(workload) for workload in reference.workloads()]
        checks = [WorkloadCheck.load(reference, candidate, client, one) for one in prepared]
        return [check.run(EFFORTS["standard"]) for check in checks]


Checks = dict[str, Future[list[WorkloadResult]]]


@pytest.fixture(scope="module")
def checks() -> Iterator[Checks]:
    with ThreadPoolExecutor(WORKERS) as pool:
        files = {identity: library_file(identity) for identity in library_ids()}
        yield {name: pool.submit(checked, name, text) for name, text in files.items()}


@pytest.mark.parametrize("identity", library_ids())
def test_the_kernel_is_right_on_every_distribution(checks: Checks, identity: str) -> None:
    results = checks[identity].result()
    assert [result.workload for result in results][:2] == ["cpu", "cpu-odd"]
    for result in results:
        correctness = result.correctness
        assert correctness is not None
        assert correctness.golden == "float64"
        assert correctness.weights in ("state_dict", "none")
        assert correctness.bitwise_repeatable


AS_KERNELBENCH = """
import sys
import torch
sys.modules["kernelwright"] = None  # importing it raises
for reference, candidate in zip(sys.argv[1::2], sys.argv[2::2]):
    names, own = {}, {}
    exec(compile(open(reference).read(), reference, "exec"), names)
    exec(compile(open(candidate).read(), candidate, "exec"), own)
    torch.manual_seed(42)
    init, inputs = names["get_init_inputs"](), names["get_inputs"]()
    with torch.no_grad():
        torch.manual_seed(42)
        model = names["Model"](*init)
        torch.manual_seed(42)
        new = own["ModelNew"](*init)
        expected, output = model(*inputs), new(*inputs)
    if not isinstance(expected, tuple):
        expected, output = (expected,), (output,)
    for one, other in zip(expected, output, strict=True):
        assert one.shape == other.shape
        assert torch.allclose(one, other, atol=1e-4, rtol=1e-4), candidate
print("right")
"""


def test_the_files_run_as_kernelbench_runs_them(tmp_path: Path) -> None:
    arguments = []
    for identity in ("softmax", "matmul_bias_gelu", "elementwise_chain", "rmsnorm_residual"):
        own, reference = tmp_path / f"{identity}.py", tmp_path / f"{identity}_reference.py"
        own.write_text(library_file(f"library/{identity}"))
        reference.write_text(load_task(identity).source)
        arguments += [str(reference), str(own)]
    clean = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "TMPDIR": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-I", "-c", AS_KERNELBENCH, *arguments],
        capture_output=True, text=True, env=clean, cwd=tmp_path, timeout=120,
    )  # fmt: skip
    assert done.stdout == "right\n", done.stderr[-2000:]


UNTRACEABLE = """
    class Model(nn.Module):
        def forward(self, x):
            return x + 1 if float(x.sum()) > 1e9 else x * 2
"""


def test_a_worker_traces_the_reference_or_says_it_cannot() -> None:
    task = load_task("layernorm", {"ROWS": 5, "COLS": 33})
    with kit.live_reference(task) as reference:
        graph = trace(reference, print)
    assert graph is not None
    assert [graph.nodes[one.node].shape for one in graph.inputs] == [(5, 33)]
    assert {n.attribute for n in graph.nodes.values()} >= {"norm.weight", "norm.bias"}
    with kit.live_reference(kit.task(UNTRACEABLE)) as reference:
        assert trace(reference, print) is None
