"""Facts about tasks and machines: the prompts say what the judge and the system say."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest

from kernelwright.backends.registry import BACKENDS
from kernelwright.prompts.describe import ABILITIES, abilities, accuracy, allowed, sizes
from kernelwright.prompts.device import CPU, cache_sizes, device_card, gpu_card, vector_units
from kernelwright.prompts.hints import CPU_HINTS, GPU_HINTS, LEAVE_PRODUCTS, SHOWN, hints
from kernelwright.sandbox.machine import Machine
from kernelwright.sandbox.process import ProcessSandbox
from kernelwright.schema import Task, Workload
from kernelwright.verifier.tolerance import ERROR_RATIO, KERNELBENCH_OTHERS, ULPS

TASK = Task(
    id="made/up",
    source="",
    overrides={"EPS": 1e-6},
    workloads=(
        Workload(name="small", target="cpu", overrides={"ROWS": 4, "EPS": 1.0}),
        Workload(name="odd", role="test", overrides={"ROWS": 3}),
        Workload(name="secret", role="hidden", overrides={"ROWS": 7919}),
        Workload(name="big", target="cuda", overrides={"ROWS": 8192}),
    ),
)


def test_sizes_are_those_of_the_device_and_never_hidden() -> None:
    assert sizes(TASK, "cpu") == (
        "small (timed): ROWS = 4, EPS = 1e-06",
        "odd (values only): ROWS = 3, EPS = 1e-06",
    )
    assert [line.split()[0] for line in sizes(TASK, "cuda:1")] == ["odd", "big"]


def test_a_task_without_constants_says_so() -> None:
    plain = Task(id="made/up", source="")
    assert sizes(plain, "cpu") == ("default (timed): constants as in the file",)


def test_accuracy_quotes_the_judge() -> None:
    assert f"{ERROR_RATIO:g} times" in accuracy("default")
    assert f"{ULPS:g} eps" in accuracy("default")
    assert f"by {KERNELBENCH_OTHERS:g} * (1 + |e|), in float16 by" in accuracy("kernelbench")


def test_vector_units_come_from_the_flags(tmp_path: Path) -> None:
    path = tmp_path / "cpuinfo"
    path.write_text("processor\t: 0\nflags\t\t: sse2 avx2 fma avx512f\n\nflags\t\t: amx_tile\n")
    assert vector_units(path) == ["AVX-512 (16 float32)", "AVX2 (8 float32)", "FMA"]
    path.write_text("Features\t: fp asimd\n")
    assert vector_units(path) == ["NEON (4 float32)"]
    assert vector_units(tmp_path / "none") == []


@pytest.fixture
def caches(tmp_path: Path) -> Path:
    """Return the folder of the first CPU's caches in a made-up system."""
    root = tmp_path / CPU / "cache"
    for index, values in enumerate(
        [
            ("1", "Data", "48K", "0,8"),
            ("1", "Instruction", "32K", "0,8"),
            ("2", "Unified", "2048K", "0"),
            ("3", "Unified", "32768K", "0-3,8-11"),
        ]
    ):
        folder = root / f"index{index}"
        folder.mkdir(parents=True)
        names = ("level", "type", "size", "shared_cpu_list")
        for name, value in zip(names, values, strict=True):
            (folder / name).write_text(value + "\n")
    return root


def test_caches_come_with_who_shares_them(caches: Path) -> None:
    (caches / "index4").mkdir()  # some virtual machines describe nothing
    assert list(cache_sizes(caches)) == [
        "L1d 48 KiB shared by 2 CPUs",
        "L2 2 MiB per CPU",
        "L3 32 MiB shared by 8 CPUs",
    ]


def test_the_card_leaves_out_what_nobody_knows(tmp_path: Path) -> None:
    machine = Machine(ProcessSandbox(), 3, "cpu")
    unknown = device_card(machine, tmp_path / "none")
    assert any(line.startswith("Threads: 3 of ") for line in unknown)
    assert not any(line.startswith(("Caches", "Vector", "Huge")) for line in unknown)


def test_the_card_says_what_shares_a_core_and_how_fast_it_is(tmp_path: Path, caches: Path) -> None:
    for path, text in (
        (f"{CPU}/topology/thread_siblings_list", "0,8\n"),
        (f"{CPU}/cpufreq/cpuinfo_max_freq", "3600000\n"),
        ("sys/kernel/mm/transparent_hugepage/enabled", "always [madvise] never\n"),
        ("sys/devices/system/node/node0/cpulist", "0-7\n"),
        ("sys/devices/system/node/node1/cpulist", "8-15\n"),
    ):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text)
    measured = ("Measured copies, GB/s read and written: memory 12", "Measured: more")
    card = device_card(Machine(ProcessSandbox(), 3, "cpu", measured), tmp_path)
    assert len(card) <= 10
    assert card[0].endswith(", up to 3.6 GHz")
    assert card[1].endswith("logical CPUs, 2 for each core; 2 NUMA nodes")
    assert card[2].startswith("Caches: L1d 48 KiB")
    assert card[3] == "Huge pages: only where madvise(MADV_HUGEPAGE) asks for them"
    assert card[-2:] == measured


def test_the_card_of_a_gpu() -> None:
    properties = SimpleNamespace(
        name="Example GPU",
        major=9,
        minor=0,
        multi_processor_count=132,
        regs_per_multiprocessor=65536,
        max_threads_per_multi_processor=2048,
        shared_memory_per_block_optin=232448,
        L2_cache_size=50 * 2**20,
        total_memory=80 * 2**30,
    )
    assert gpu_card(properties) == (
        "GPU: Example GPU, compute capability 9.0",
        "Multiprocessors: 132, each with 65536 registers and 2048 threads",
        "Shared memory: up to 227 KiB a block",
        "L2: 50 MiB",
        "Memory: 80 GiB",
    )


def test_moves_are_drawn_by_key() -> None:
    drawn = [hints("cpu", 0, step) for step in range(30)]
    assert drawn == [hints("cpu", 0, step) for step in range(30)]
    assert all(len(set(some)) == SHOWN for some in drawn)
    assert {move for some in drawn for move in some} == {*CPU_HINTS, *LEAVE_PRODUCTS}
    assert set(hints("cuda:0", 0)) <= {*GPU_HINTS, *LEAVE_PRODUCTS}


def test_every_backend_of_ours_is_explained() -> None:
    assert set(ABILITIES) == set(BACKENDS)
    assert abilities(["cpp", "mine"])[1] == "mine"
    assert allowed(["cpp", "inductor", "torch"], "custom") == ("cpp",)
