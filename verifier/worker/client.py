"""The client of a worker: requests, files, and facts about the process and its device."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path
from typing import Any

from kernelwright.errors import InfrastructureError
from kernelwright.sandbox.base import WorkerProcess
from kernelwright.schema import Status, digest
from kernelwright.verifier.worker.channel import Channel
from kernelwright.verifier.worker.faults import WorkerFault, nonsense
from kernelwright.verifier.worker.frames import checked_count


class WorkerClient:
    """A client of one worker; `Instance` has the operations on what is loaded in it."""

    def __init__(
        self, process: WorkerProcess, memory_bytes: int, timeout_s: float, kind: str = "cpu"
    ) -> None:
        self.process = process
        self.kind = kind
        """Kind of the device: `cpu` or `cuda`."""
        self.channel = Channel(process, memory_bytes, timeout_s)
        self.l2_bytes = 0
        """Size of a GPU's last cache, in bytes; set by `hello`."""
        self.must_be_read = False
        """A result that can't be read from the worker's memory is a fault."""
        self.has_run = False
        """`run` was called."""
        self.was_read = False
        """Results were read from this worker's memory."""

    def hello(self, timeout_s: float) -> dict[str, Any]:
        """Return versions and thread count of the worker; also proof that it has started."""
        reply, _ = self.channel.request("hello", timeout_s=timeout_s)
        self.l2_bytes = checked_count(reply.get("l2_bytes"), 0)
        return dict(reply)

    def settings(self) -> dict[str, str]:
        """Return settings of torch and of the environment, as the worker reports them."""
        reply, _ = self.channel.request("settings")
        settings = reply.get("settings")
        if not isinstance(settings, dict):
            raise nonsense("no settings")
        return {str(name): str(value) for name, value in settings.items()}

    def prefault(self, nbytes: int) -> None:
        """Touch so many bytes of the worker's heap, so that timed calls need no new pages."""
        self.channel.request("touch", {"nbytes": nbytes})

    def tool(self, file: Path, function: str, **arguments: Any) -> object:
        """Run a function of one of our files in the worker; return its result, any JSON value.

        Args:
            function: called with the loaded instances by key, and `arguments`.
        """
        path = self.write(file.name, file.read_text())
        name = f"tool_{digest(path)[:12]}"
        reply, _ = self.channel.request(
            "tool", {"path": path, "module": name, "function": function, "arguments": arguments}
        )
        return reply.get("found")

    def copy_bandwidth(self, nbytes: int) -> float:
        """Return bytes per second, read and written, of copying `nbytes` on the worker's device."""
        reply, _ = self.channel.request("copy_bandwidth", {"nbytes": nbytes})
        return float(checked_count(reply.get("bytes_per_s"), 1))

    def peak_flops(self, dtype: str = "float32") -> float:
        """Return the operations per second of a large matrix product."""
        reply, _ = self.channel.request("peak_flops", {"dtype": dtype})
        return float(checked_count(reply.get("flops_per_s"), 1))

    def write(self, name: str, text: str) -> str:
        """Write a file to the worker's folder; return its path inside the sandbox."""
        path = Path(self.process.folder) / name
        # A worker may have put a link to a file of the host there, or a pipe that nobody reads.
        flags = os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK
        try:
            with open(os.open(path, flags, 0o644), "w", encoding="utf-8") as file:
                if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                    raise WorkerFault(Status.RUNTIME_ERROR, "the worker changed its folder")
                file.truncate(0)
                file.write(text)
        except OSError as error:
            if error.errno in (errno.ENOSPC, errno.EDQUOT):
                raise InfrastructureError(f"cannot write {name!r}: {error.strerror}") from error
            raise WorkerFault(Status.RUNTIME_ERROR, "the worker changed its folder") from error
        return f"{self.process.inside}/{name}"
