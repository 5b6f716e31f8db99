"""The worker: a stand-alone file (stdlib and torch) that runs a reference or a candidate.

It is started as `python -I worker.py FD SHARED BYTES THREADS DEVICE` and obeys the judge over one
socket. The module it loads may rob it of all it holds, so it never has expected values, and its
words are data to be checked. A module that raises ends the worker: the traceback on stderr is the
answer. It runs only while it has a request; between two it is stopped from outside.

Inputs lie in memory shared with the judge (descriptor SHARED), who writes them while the worker is
stopped. The answer to `run` says where the results lie; the judge reads them from the stopped
process. So what counts is what was computed between the two.

Frame: 4 bytes header length, 8 bytes body length (big endian), a JSON header, then the raw bytes of
the tensors that the header's `tensors` list describes (`dtype`, `shape`, `order`), in that order.
`order` lists the dimensions from the largest stride to the smallest, so that layouts survive.
"""

from __future__ import annotations

import copy
import ctypes
import functools
import importlib
import importlib.util
import json
import math
import mmap
import os
import socket
import struct
import sys
import time
from collections.abc import Callable
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode

VERSION = "8"
PREFIX = struct.Struct("!IQ")
COPY_BYTES, COPIES = 2**28, 5
# Of a square matrix product, by kind of device.
PRODUCT_SIZE = {"cpu": 1024, "cuda": 8192}
# On a GPU a copy takes as long as two launches where it is small.
COPIES_AT_ONCE = {"cpu": 1, "cuda": 16}
PR_SET_PDEATHSIG, SIGKILL = 1, 9
# glibc gives freed blocks back to the system or not depending on what came before: the same eager
# call then takes 1 or 6 times as long. Every worker keeps them. (malloc.h: M_TRIM_THRESHOLD,
# M_MMAP_THRESHOLD, M_PERTURB)
KEEP_FREED = {-1: 2**31 - 1, -3: 2**30}
PERTURB = -6
HUGE_PAGE = 2**21
# Before a module can put something else in its place.
SYNCHRONIZE = torch.cuda.synchronize
# torch.manual_seed looks for other devices first, which takes a hundred times as long.
SEED = {"cpu": torch.default_generator.manual_seed, "cuda": torch.manual_seed}
C_LIBRARY = ctypes.CDLL(None)
# Allocated memory is filled with the complement, 0x7f: 3.4e38 as float32 and bfloat16, NaN as half.
POISON = 0x80
# torch's allocator for GPUs hands out freed memory again: below 1 MiB from blocks of 2 MiB.
POISONED_BLOCKS, POISONED_BYTES = ((2**19, 64), (2**28, 4)), 0x7F

Tree = Any
Tensors = list[torch.Tensor]


# -- values on the wire ---------------------------------------------------------------------------


def pack(value: Any, tensors: Tensors) -> Tree:
    """Describe `value` as JSON, its tensors moved to `tensors`. TypeError for other types."""
    if isinstance(value, torch.Tensor):
        tensors.append(value.detach().resolve_conj().resolve_neg())
        return {"t": len(tensors) - 1}
    if value is None or isinstance(value, (bool, int, float, str)):
        return {"v": value}
    if isinstance(value, torch.Size):
        return {"u": [{"v": int(size)} for size in value]}
    if isinstance(value, torch.dtype):
        return {"dtype": str(value).removeprefix("torch.")}
    if isinstance(value, list):
        return {"l": [pack(item, tensors) for item in value]}
    if isinstance(value, tuple):
        return {"u": [pack(item, tensors) for item in value]}
    if isinstance(value, dict) and all(isinstance(key, str) for key in value):
        return {"d": {key: pack(item, tensors) for key, item in value.items()}}
    raise TypeError(f"values of type {type(value).__name__} cannot be sent to or from a worker")


def unpack(tree: Tree, tensors: Tensors) -> Any:
    """The inverse of `pack`. Raises ValueError for anything `pack` would not write."""
    if not isinstance(tree, dict) or len(tree) != 1:
        raise ValueError("malformed value")
    ((kind, item),) = tree.items()
    if kind == "t" and type(item) is int and 0 <= item < len(tensors):
        return tensors[item]
    if kind == "v" and (item is None or isinstance(item, (bool, int, float, str))):
        return item
    if kind == "dtype" and isinstance(vars(torch).get(str(item)), torch.dtype):
        return getattr(torch, item)
    if kind == "l" and isinstance(item, list):
        return [unpack(part, tensors) for part in item]
    if kind == "u" and isinstance(item, list):
        return tuple(unpack(part, tensors) for part in item)
    if kind == "d" and isinstance(item, dict):
        return {str(key): unpack(part, tensors) for key, part in item.items()}
    raise ValueError("malformed value")


def describe(tensor: torch.Tensor) -> dict[str, Any]:
    """The header entry of a tensor."""
    strides = tensor.stride()
    order = sorted(range(tensor.dim()), key=lambda dim: (-strides[dim], dim))
    dtype = str(tensor.dtype).removeprefix("torch.")
    return {"dtype": dtype, "shape": list(tensor.shape), "order": order}


def allocate(description: dict[str, Any]) -> torch.Tensor:
    """An empty CPU tensor of the described dtype, shape and layout."""
    shape, order = description["shape"], description["order"]
    dense = torch.empty([shape[dim] for dim in order], dtype=getattr(torch, description["dtype"]))
    return dense.permute([order.index(dim) for dim in range(len(order))])


def raw(tensor: torch.Tensor, order: list[int]) -> tuple[memoryview, torch.Tensor]:
    """The bytes of a CPU tensor in storage order, and the tensor that keeps them alive."""
    dense = tensor.permute(order).contiguous() if order else tensor.contiguous()
    size = dense.numel() * dense.element_size()
    if size == 0:
        return memoryview(b""), dense
    return memoryview((ctypes.c_char * size).from_address(dense.data_ptr())).cast("B"), dense


# -- frames ---------------------------------------------------------------------------------------


def send_frame(sock: socket.socket, header: dict[str, Any], tensors: Tensors) -> None:
    """Write one frame; tensors may be on any device."""
    tensors = [tensor.cpu() for tensor in tensors]
    descriptions = [describe(tensor) for tensor in tensors]
    bodies = [raw(t, d["order"]) for t, d in zip(tensors, descriptions, strict=True)]
    text = json.dumps({**header, "tensors": descriptions}).encode()
    sock.sendall(PREFIX.pack(len(text), sum(body.nbytes for body, _ in bodies)) + text)
    for body, _ in bodies:
        sock.sendall(body)


def read_exactly(sock: socket.socket, view: memoryview) -> None:
    """Fill `view` from the socket. Raises EOFError when the other side is gone."""
    while view.nbytes:
        count = sock.recv_into(view)
        if count == 0:
            raise EOFError("the other side closed the channel")
        view = view[count:]


def receive_tensor(sock: socket.socket, description: dict[str, Any]) -> torch.Tensor:
    """Allocate the described tensor and fill it from the socket."""
    tensor = allocate(description)
    view, dense = raw(tensor, description["order"])
    assert dense.data_ptr() == tensor.data_ptr()
    read_exactly(sock, view)
    return tensor


def _receive_frame(sock: socket.socket) -> tuple[dict[str, Any], Tensors]:
    """Read one frame of the judge, who is trusted."""
    prefix = bytearray(PREFIX.size)
    read_exactly(sock, memoryview(prefix))
    text = bytearray(PREFIX.unpack(prefix)[0])
    read_exactly(sock, memoryview(text))
    header = json.loads(text)
    return header, [receive_tensor(sock, entry) for entry in header["tensors"]]


# -- the module under test ------------------------------------------------------------------------


def load_file(path: str, name: str) -> dict[str, Any]:
    """Import a Python file under `name`; linecache and Triton need a real file."""
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return vars(module)


def to_device(value: Any, device: str, dtype: torch.dtype | None = None) -> Any:
    """Copy every tensor of a nest to `device`, floating ones to `dtype`."""
    if isinstance(value, torch.Tensor):
        return value.to(device, dtype if value.is_floating_point() else None, copy=True)
    if isinstance(value, (list, tuple)):
        return type(value)(to_device(item, device, dtype) for item in value)
    if isinstance(value, dict):
        return {key: to_device(item, device, dtype) for key, item in value.items()}
    return value


def shake(exact: Any, given: Any, seed: int) -> None:
    """Move what floats by less than one rounding of the type in which it was given."""
    generator = torch.Generator().manual_seed(seed)
    moved: Tensors = []
    types: Tensors = []
    pack(exact, moved)
    pack(given, types)
    for value, tensor in zip(moved, types, strict=True):
        if tensor.is_floating_point():
            noise = torch.rand(value.shape, generator=generator, dtype=torch.float64) * 2 - 1
            value.mul_(1 + torch.finfo(tensor.dtype).eps * noise.to(value.device))


def copy_into(old: Any, new: Any) -> None:
    """Copy `new` into the tensors of `old`. Raises ValueError where they differ in form."""
    targets: Tensors = []
    sources: Tensors = []
    same = pack(old, targets) == pack(new, sources)
    if not same or list(map(describe, targets)) != list(map(describe, sources)):
        raise ValueError("get_inputs() returns other shapes, types or numbers at every call")
    for target, source in zip(targets, sources, strict=True):
        target.copy_(source)


def mallopt(parameter: int, value: int) -> None:
    """Set one of glibc's allocator's parameters; nothing where there is another C library."""
    if hasattr(C_LIBRARY, "mallopt"):
        C_LIBRARY.mallopt(parameter, value)


def placed(memory: torch.Tensor, description: dict[str, Any], offset: int) -> torch.Tensor:
    """A tensor that lies in a flat one of bytes."""
    shape, order = description["shape"], description["order"]
    dtype = getattr(torch, description["dtype"])
    nbytes = math.prod(shape) * dtype.itemsize
    dense = memory[offset : offset + nbytes].view(dtype).view([shape[dim] for dim in order])
    return dense.permute([order.index(dim) for dim in range(len(order))])


def toggle(memory: torch.Tensor, seed: int) -> None:
    """Hide bytes, or show hidden ones: exclusive or with random numbers. Eight at a time."""
    generator = torch.Generator(memory.device).manual_seed(seed)
    words = memory.view(torch.int64)
    noise = torch.empty_like(words).random_(-(2**63), None, generator=generator)
    words.bitwise_xor_(noise)


def result_entry(tensor: torch.Tensor) -> dict[str, Any]:
    """Return what the judge must know of a result to read it: layout, and meaning of its bits."""
    return {
        "dtype": str(tensor.dtype).removeprefix("torch."),
        "shape": list(tensor.shape),
        "strides": list(tensor.stride()),
        "device": tensor.device.type,
        "conj": tensor.is_conj(),
        "neg": tensor.is_neg(),
    }


def addresses(results: list[Any]) -> list[list[int]]:
    """Where each tensor of each result lies."""
    if all(type(result) is torch.Tensor for result in results):
        return [[result.data_ptr()] for result in results]
    return [[tensor.data_ptr() for tensor in leaves(result)] for result in results]


def leaves(value: Any) -> Tensors:
    """The tensors of a result, as it is. TypeError for what only poses as one."""
    if isinstance(value, torch.Tensor):
        if type(value) not in (torch.Tensor, torch.nn.Parameter):
            raise TypeError(f"a result is a {type(value).__name__}, not a plain torch.Tensor")
        return [value]
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, (list, tuple)):
        return [tensor for part in value for tensor in leaves(part)]
    return []


def called(
    call: Callable[..., Any],
    arguments: list[Any],
    seeds: list[int] | None,
    seed_torch: Callable[[int], Any],
) -> list[Any]:
    """The results of all calls, in order."""
    results: list[Any] = []
    if seeds is None:
        for inputs in arguments:
            results.append(call(*inputs))
        return results
    for inputs, seed in zip(arguments, seeds, strict=True):
        seed_torch(seed)
        results.append(call(*inputs))
    return results


class Loaded:
    """One instance of a module with its input slots."""

    def __init__(
        self,
        model: torch.nn.Module,
        make: Any,
        arguments: list[Any],
        inputs: Callable[[], list[Any]],
    ) -> None:
        self.model = model
        self.call: Callable[..., Any] = model
        self.make = make
        """The class, or what else makes an instance of given arguments."""
        self.arguments = arguments
        """The constructor's."""
        self.inputs = inputs
        """Makes a fresh set of inputs, where the file is a reference's."""
        self.subject: Any = None
        """The module as `use` takes it."""
        self.exact: Any = None
        """The same, computing in float64."""
        self.staged: list[Any] = []
        """Inputs in shared memory, by slot."""
        self.slots: list[Any] = []
        """Inputs of calls: the same, or on a GPU what lies at the same places in its memory."""
        self.memory: torch.Tensor
        """The GPU's, as bytes."""
        self.results: list[Any] = []
        """Results of the last run, by call."""


class Worker:
    """Obeys the judge's operations; each method named `op_*` is one of them."""

    def __init__(self, device: str, shared: mmap.mmap) -> None:
        self.device = device
        self.shared = shared
        self.loaded: dict[str, Loaded] = {}

    @property
    def kind(self) -> str:
        """`cpu` or `cuda`."""
        return self.device.partition(":")[0]

    def synchronize(self) -> None:
        if self.kind != "cpu":
            SYNCHRONIZE()

    def mark(self) -> Any:
        """This moment: of the clock, or among what the GPU has to do."""
        if self.kind == "cpu":
            return time.perf_counter_ns()
        event = torch.cuda.Event(enable_timing=True)  # type: ignore[no-untyped-call]
        event.record()
        return event

    def nanoseconds(self, start: Any, end: Any) -> int:
        """Between two marks that have passed."""
        return int(end - start if self.kind == "cpu" else start.elapsed_time(end) * 1e6)

    def cool(self) -> None:
        """Leave nothing of the inputs in the GPU's L2, not even what was marked to stay."""
        ctypes.CDLL("libcuda.so.1").cuCtxResetPersistingL2Cache()
        l2 = torch.cuda.get_device_properties(self.device).L2_cache_size
        torch.zeros(2 * l2, dtype=torch.uint8, device=self.device)
        self.synchronize()

    def poison(self) -> None:
        """Have garbage in the memory that is allocated next."""
        mallopt(PERTURB, POISON)
        if self.kind != "cpu":
            for nbytes, count in POISONED_BLOCKS:
                kept = [self.garbage(nbytes) for _ in range(count)]
                del kept
            self.synchronize()

    def garbage(self, nbytes: int) -> torch.Tensor:
        """Memory of the GPU with what poison is."""
        return torch.full((nbytes,), POISONED_BYTES, dtype=torch.uint8, device=self.device)

    def random_state(self) -> torch.Tensor:
        """Return the generator's state, which changes when a random number is drawn."""
        if self.kind == "cpu":
            return torch.get_rng_state()
        return torch.cuda.get_rng_state(self.device)

    def op_hello(self, header: dict[str, Any], tensors: Tensors) -> dict[str, Any]:
        """Return versions and properties of what runs here."""
        capability = torch.backends.cpu.get_cpu_capability()
        l2 = 0
        if self.kind != "cpu":
            # CUDA starts threads and sets variables, which is not to be taken for a module's work.
            torch.ones(2, 2, device=self.device).mm(torch.ones(2, 2, device=self.device))
            self.synchronize()
            l2 = torch.cuda.get_device_properties(self.device).L2_cache_size
        return {
            "worker": VERSION,
            "python": sys.version.split()[0],
            "torch": torch.__version__,
            "threads": torch.get_num_threads(),
            "cpu_capability": capability,
            "l2_bytes": l2,
        }

    def op_load(self, header: dict[str, Any], tensors: Tensors) -> dict[str, Any]:
        """Import a file and build an instance: with the given arguments, or its own, sent back.

        What the names in the file mean is known to the adapter of the task's kind, a file as well.
        """
        adapter = load_file(header["adapter"], "adapter_of_a_task_kind")
        names = load_file(header["path"], header["module"])
        if header["init"] is None:
            torch.manual_seed(header["seed"])
            arguments = adapter["constructor_arguments"](names)
        else:
            arguments = list(unpack(header["init"], tensors))
        packed: Tensors = []
        tree = pack(arguments, packed)
        make = adapter["maker"](names, header["entry_point"])
        torch.manual_seed(header["seed"])
        model = make(*to_device(arguments, self.device)).to(self.device)
        inputs = functools.partial(adapter["inputs"], names)
        self.loaded[header["key"]] = Loaded(model, make, arguments, inputs)
        return {"init": tree, "_tensors": packed} if header["init"] is None else {}

    def op_compile(self, header: dict[str, Any], tensors: Tensors) -> dict[str, Any]:
        """Wrap the instance in torch.compile with the given options."""
        loaded = self.loaded[header["key"]]
        loaded.call = torch.compile(loaded.model, **header["options"])
        return {}

    def op_make_inputs(self, header: dict[str, Any], tensors: Tensors) -> dict[str, Any]:
        """Ask the reference for a fresh set of inputs."""
        torch.manual_seed(header["seed"])
        packed: Tensors = []
        inputs = self.loaded[header["key"]].inputs()
        return {"value": pack(inputs, packed), "_tensors": packed}

    def op_state(self, header: dict[str, Any], tensors: Tensors) -> dict[str, Any]:
        """Parameters and buffers by name, and which of them are parameters."""
        packed: Tensors = []
        model = self.loaded[header["key"]].model
        parameters = [name for name, _ in model.named_parameters(remove_duplicate=False)]
        value = pack(dict(model.state_dict()), packed)
        return {"value": value, "parameters": parameters, "_tensors": packed}

    def op_set_state(self, header: dict[str, Any], tensors: Tensors) -> dict[str, Any]:
        """Copy the given state where name and shape match; says how many did, and how many are."""
        given = unpack(header["value"], tensors)
        own = self.loaded[header["key"]].model.state_dict()
        same = [name for name in own if name in given and own[name].shape == given[name].shape]
        with torch.no_grad():
            for name in same:
                own[name].copy_(given[name])
        return {"matched": len(same), "own": len(own)}

    def op_stage(self, header: dict[str, Any], tensors: Tensors) -> dict[str, Any]:
        """Take inputs from shared memory from now on: one form, its tensors' offsets by slot."""
        loaded = self.loaded[header["key"]]
        entries = header["entries"]
        loaded.staged = [
            unpack(header["value"], list(map(self.shared_tensor, entries, offsets)))
            for offsets in header["offsets"]
        ]
        loaded.slots = loaded.staged
        if self.kind != "cpu":
            loaded.slots = []
            loaded.memory = torch.empty(header["nbytes"], dtype=torch.uint8, device=self.device)
            for row in header["offsets"]:
                there = [placed(loaded.memory, *at) for at in zip(entries, row, strict=True)]
                loaded.slots.append(unpack(header["value"], there))
        for start in range(0, header["nbytes"], HUGE_PAGE):
            self.shared[start] = 0xFF  # who writes first decides on the kind of page
        return {}

    def shared_tensor(self, description: dict[str, Any], offset: int) -> torch.Tensor:
        """A tensor that lies in the shared memory."""
        itemsize = getattr(torch, description["dtype"]).itemsize
        count = math.prod(description["shape"]) * itemsize
        if count == 0:
            return allocate(description)
        memory = torch.frombuffer(self.shared, dtype=torch.uint8, count=count, offset=offset)
        return placed(memory, description, 0)

    def op_upload(self, header: dict[str, Any], tensors: Tensors) -> dict[str, Any]:
        """Copy the first bytes of the shared memory to the GPU's."""
        memory = self.loaded[header["key"]].memory[: header["nbytes"]]
        memory.copy_(torch.frombuffer(self.shared, dtype=torch.uint8, count=len(memory)))
        self.synchronize()
        return {}

    def op_download(self, header: dict[str, Any], tensors: Tensors) -> dict[str, Any]:
        """Copy the first bytes of the GPU's memory to the shared one."""
        memory = self.loaded[header["key"]].memory[: header["nbytes"]]
        torch.frombuffer(self.shared, dtype=torch.uint8, count=len(memory)).copy_(memory)
        return {}

    def op_hide(self, header: dict[str, Any], tensors: Tensors) -> dict[str, Any]:
        """Hide what the GPU's memory holds, as `run` will show it again."""
        toggle(self.loaded[header["key"]].memory, header["seed"])
        self.synchronize()
        return {}

    def op_fill(self, header: dict[str, Any], tensors: Tensors) -> dict[str, Any]:
        """Put fresh sets of the reference's inputs into the first slots, one seed each."""
        loaded = self.loaded[header["key"]]
        for target, seed in zip(loaded.staged, header["seeds"], strict=False):
            SEED[self.kind](seed)
            copy_into(target, loaded.inputs())
        return {}

    def op_run(self, header: dict[str, Any], tensors: Tensors) -> dict[str, Any]:
        """Call once for each of the given slots; results stay until the next run.

        `seeds` (one a call, or null) go to torch before each call. With `poison`, memory that is
        allocated meanwhile holds garbage. Inputs in a GPU's memory may be hidden: `cover` shows
        them. `ns` is this side's clock.
        """
        loaded = self.loaded[header["key"]]
        loaded.results = []
        arguments = [loaded.slots[slot] for slot in header["slots"]]
        if header["cover"] is not None:
            toggle(loaded.memory, header["cover"])
            self.cool()
        if header["poison"]:
            self.poison()
        start = self.mark()
        results = called(loaded.call, arguments, header["seeds"], SEED[self.kind])
        end = self.mark()
        self.synchronize()
        mallopt(PERTURB, 0)
        loaded.results = results
        tree = pack(results[-1], [])
        found = {"value": tree, "entries": list(map(result_entry, leaves(results[-1])))}
        return {"ns": self.nanoseconds(start, end), "at": addresses(results), **found}

    def op_drop(self, header: dict[str, Any], tensors: Tensors) -> dict[str, Any]:
        """Free the results of the last run, which takes time that is nobody's."""
        self.loaded[header["key"]].results = []
        return {}

    def op_touch(self, header: dict[str, Any], tensors: Tensors) -> dict[str, Any]:
        """Give the allocator so many bytes of memory that is there, not only promised."""
        torch.zeros(header["nbytes"], dtype=torch.uint8, device=self.device)
        return {}

    def op_fetch(self, header: dict[str, Any], tensors: Tensors) -> dict[str, Any]:
        """One result of the last run, for judges that can't read this process's memory."""
        packed: Tensors = []
        value = self.loaded[header["key"]].results[header["call"]]
        return {"value": pack(value, packed), "_tensors": packed}

    def op_golden(self, header: dict[str, Any], tensors: Tensors) -> dict[str, Any]:
        """Call a float64 copy of the instance on some slots, one after the other.

        Answers with the last result; says `unavailable` where there can be none.
        """
        loaded = self.loaded[header["key"]]
        packed: Tensors = []
        try:
            model = copy.deepcopy(loaded.model).double()
            torch.manual_seed(header["seed"])
            for slot in header["slots"]:
                inputs = to_device(loaded.slots[slot], self.device, torch.float64)
                if header["shake"] is not None:
                    shake(inputs, loaded.slots[slot], header["shake"])
                result = model(*inputs)
            value = pack(result, packed)
        except (RuntimeError, TypeError, ValueError, NotImplementedError) as error:
            return {"unavailable": str(error).split("\n")[0][:200]}
        return {"value": value, "_tensors": packed}

    def op_draws(self, header: dict[str, Any], tensors: Tensors) -> dict[str, Any]:
        """Whether a call draws random numbers."""
        loaded = self.loaded[header["key"]]
        before = self.random_state()
        loaded.call(*loaded.slots[header["slot"]])
        return {"draws": not torch.equal(before, self.random_state())}

    def op_copy_bandwidth(self, header: dict[str, Any], tensors: Tensors) -> dict[str, Any]:
        """Bytes per second, read and written, of copying `nbytes` from tensor to tensor."""
        source = torch.ones(header["nbytes"] // 4, device=self.device)
        target = torch.empty_like(source)
        repeats = max(COPIES_AT_ONCE[self.kind], COPY_BYTES // header["nbytes"] // COPIES)
        best = min(self.timed(lambda: target.copy_(source), repeats) for _ in range(COPIES))
        return {"bytes_per_s": int(2 * header["nbytes"] / best)}

    def op_peak_flops(self, header: dict[str, Any], tensors: Tensors) -> dict[str, Any]:
        """Operations per second of a large matrix product."""
        size, dtype = PRODUCT_SIZE[self.kind], getattr(torch, header["dtype"])
        left, right = torch.rand(2, size, size, device=self.device).to(dtype)
        best = min(self.timed(lambda: left @ right, 1) for _ in range(COPIES))
        return {"flops_per_s": int(2 * size**3 / best)}

    def op_flops(self, header: dict[str, Any], tensors: Tensors) -> dict[str, Any]:
        """Operations of one call's matrix products, convolutions and attention."""
        loaded = self.loaded[header["key"]]
        # Imports triton, whose interpreter has to be chosen before that.
        from torch.utils.flop_counter import FlopCounterMode

        with FlopCounterMode(display=False) as counter:
            loaded.call(*loaded.slots[header["slot"]])
        return {"flops": counter.get_total_flops()}

    def timed(self, work: Callable[[], Any], repeats: int) -> float:
        """Seconds of one of `repeats` calls."""
        self.synchronize()
        start = time.perf_counter()
        for _ in range(repeats):
            work()
        self.synchronize()
        return (time.perf_counter() - start) / repeats

    def op_settings(self, header: dict[str, Any], tensors: Tensors) -> dict[str, Any]:
        """Settings that a module could change for whoever shares its process."""
        settings = {
            "default dtype": torch.get_default_dtype(),
            "threads": torch.get_num_threads(),
            "gradients": torch.is_grad_enabled(),
            "matmul precision": torch.get_float32_matmul_precision(),
            "deterministic": torch.are_deterministic_algorithms_enabled(),
            "mkldnn": torch.backends.mkldnn.enabled,
            "flush-to-zero": float(torch.tensor(1e-40) * 1) == 0.0,
            "cudnn benchmark": torch.backends.cudnn.benchmark,
            **{f"${name}": value for name, value in os.environ.items()},
        }
        return {"settings": {name: str(value) for name, value in settings.items()}}

    def op_observe(self, header: dict[str, Any], tensors: Tensors) -> dict[str, Any]:
        """torch's operators during one call, each with the types of its tensors."""
        loaded = self.loaded[header["key"]]
        with Observer() as observer:
            loaded.call(*loaded.slots[header["slot"]])
        return {"operators": {name: sorted(types) for name, types in observer.seen.items()}}

    def op_tool(self, header: dict[str, Any], tensors: Tensors) -> dict[str, Any]:
        """Return what a function from a judge's file finds out about the loaded instances."""
        tool = load_file(header["path"], header["module"])[header["function"]]
        return {"found": tool(self.loaded, **header["arguments"])}

    def op_subject(self, header: dict[str, Any], tensors: Tensors) -> dict[str, Any]:
        """Take what uses of the module start from; answer with names and shapes of its state."""
        loaded = self.loaded[header["key"]]
        make = load_file(header["path"], header["module"])["Subject"]
        given = to_device([loaded.arguments, *unpack(header["value"], tensors)], self.device)
        options = {**header["options"], "device": self.device}
        loaded.subject = make(loaded.make, *given, **options)
        loaded.exact = make(loaded.make, *given, **options, exact=True)
        state = loaded.model.state_dict().items()
        return {"state": {name: list(value.shape) for name, value in state}}

    def op_use(self, header: dict[str, Any], tensors: Tensors) -> dict[str, Any]:
        """Do what a user does with the module; answer as to `run`, or without values."""
        loaded = self.loaded[header["key"]]
        subject = loaded.exact if header["exact"] else loaded.subject
        attempt = vars(sys.modules[header["module"]])["attempt"]
        result, facts = attempt(subject, header["use"], header["parameters"])
        self.synchronize()
        try:
            tree, entries = pack(result, []), list(map(result_entry, leaves(result)))
        except TypeError as error:
            result, facts = None, {**facts, "error": f"TypeError: {error}"}
            tree, entries = {"v": None}, []
        loaded.results = [result]
        return {"ns": 0, "at": addresses([result]), "value": tree, "entries": entries, **facts}

    def op_profile(self, header: dict[str, Any], tensors: Tensors) -> dict[str, Any]:
        """Self time per operator, or GPU kernel, over `calls` calls on a slot."""
        loaded = self.loaded[header["key"]]
        # torch.profiler needs a second to start.
        module = "torch.autograd.profiler_legacy" if self.kind == "cpu" else "torch.profiler"
        profiler: Any = importlib.import_module(module).profile
        with profiler() as profile:
            for _ in range(header["calls"]):
                loaded.call(*loaded.slots[header["slot"]])
            self.synchronize()
        if self.kind == "cpu":
            rows = [
                {"name": row.key[:120], "calls": row.count, "self_us": row.self_cpu_time_total}
                for row in profile.key_averages()
            ]
        else:
            rows = kernels(profile.events())
        return {"operators": sorted(rows, key=lambda row: -float(row["self_us"]))[:24]}


def kernels(events: Any) -> list[dict[str, Any]]:
    """Time per GPU kernel, copies among them, in a profile."""
    found: dict[str, dict[str, Any]] = {}
    for event in events:
        if event.device_type.name == "CUDA":
            name = event.name[:120]
            row = found.setdefault(name, {"name": name, "calls": 0, "self_us": 0.0})
            row["calls"] += 1
            row["self_us"] += event.time_range.elapsed_us()
    return list(found.values())


class Observer(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Notes which operators are dispatched."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.seen: dict[str, set[str]] = {}

    def __torch_dispatch__(
        self, function: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        """Run the operator, and note it."""
        given = [value for value in args if isinstance(value, torch.Tensor)]
        names = {str(value.dtype).removeprefix("torch.") for value in given}
        self.seen.setdefault(str(function), set()).update(names)
        return function(*args, **(kwargs or {}))


def serve(sock: socket.socket, worker: Worker) -> None:
    """Obey until the judge closes the channel."""
    operations = {name[3:]: getattr(worker, name) for name in dir(worker) if name[:3] == "op_"}
    while True:
        try:
            header, tensors = _receive_frame(sock)
        except EOFError:
            return
        with torch.no_grad():
            reply = operations[header["op"]](header, tensors)
        packed = reply.pop("_tensors", [])
        send_frame(sock, {"op": header["op"], **reply}, packed)


def main() -> None:
    """Entry point of the worker process."""
    descriptor, shared, size, threads = map(int, sys.argv[1:5])
    if sys.platform == "linux":
        C_LIBRARY.prctl(PR_SET_PDEATHSIG, SIGKILL)
    for parameter, value in KEEP_FREED.items():
        mallopt(parameter, value)
    torch.set_num_threads(threads)
    memory = mmap.mmap(shared, size)
    if hasattr(mmap, "MADV_HUGEPAGE"):
        memory.madvise(mmap.MADV_HUGEPAGE)
    serve(socket.socket(fileno=descriptor), Worker(sys.argv[5], memory))


if __name__ == "__main__":
    main()
