"""`kernelwright demo`: the main job on three library tasks, without key, GPU or Docker."""

from __future__ import annotations

from kernelwright.cli import options

TASKS = ("library/int4_gemv", "library/rope", "library/elementwise_chain")
ATTEMPTS = 2
BACKENDS = ["cpp"]  # torch.compile is measured as the baseline


def demo(out: options.OutFolder = None, json: options.Json = False) -> None:
    """Optimize three small modules on this CPU and write reports."""
    from kernelwright.cli.bench import run_bench
    from kernelwright.cli.session import new_run_id
    from kernelwright.config import load_settings
    from kernelwright.tasks.loader import load_task

    settings = load_settings(
        {"attempts": ATTEMPTS, "backends": BACKENDS, "target": "cpu", "out": out}
    ).settings
    tasks = [load_task(name) for name in TASKS]
    run_bench("demo", tasks, settings, f"demo-{new_run_id()}", json)
