"""`kernelwright demo`: the main job on two library tasks, without key, GPU or Docker."""

from __future__ import annotations

from kernelwright.cli import options

TASKS = ("library/int4_gemv", "library/rope")
# Whatever the user has configured, the demo needs no key and spends nothing. torch.compile is
# not searched, but measured as a baseline.
SETTINGS = {
    "model": "offline",
    "backends": ["cpp"],
    "target": "cpu",
    "search": "greedy",
    "attempts": 1,
    "budget_usd": 0.0,
    "tolerance": "default",
    "policy": "any",
}


def demo(out: options.OutFolder = None, json: options.Json = False) -> None:
    """Optimize two small modules on this CPU and write reports."""
    from kernelwright.batch.run import new_run_id
    from kernelwright.cli.bench import run_bench
    from kernelwright.config import load_settings
    from kernelwright.tasks.loader import load_task

    settings = load_settings({**SETTINGS, "out": out}).settings
    tasks = [load_task(name) for name in TASKS]
    run_bench("demo", tasks, settings, f"demo-{new_run_id()}", json)
