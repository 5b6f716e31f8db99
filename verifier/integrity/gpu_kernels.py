"""Flags on the kernels that a GPU runs for a candidate, by their names in torch's profiler.

The profile is the worker's own word, which a candidate could forge; so this labels, and under the
policy `custom` refuses candidates that don't forge it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

from kernelwright.schema import Flag, Policy
from kernelwright.verifier.integrity.attribution import LEAST_CUSTOM
from kernelwright.verifier.integrity.catalog import flag

# torch's own kernels, cuBLAS's and cuDNN's, copies, and what torch.compile generates.
LIBRARIES = re.compile(
    r"(void )?(at::|at_cuda_detail::|cub::|thrust::|cublas|cudnn|cutlass_\d|nvjet|gemm|gemv|splitK"
    r"|(ampere|hopper|blackwell|sm\d+|turing|volta)_|Memcpy|Memset"
    r"|triton_(poi|red|per|tem|for|mm)_)"
)
TO_HOST = "Memcpy DtoH"


def kernel_flags(rows: Sequence[Mapping[str, object]], policy: Policy) -> Iterator[Flag]:
    """Yield flags on which kernels took the time.

    Args:
        rows: `name` and `self_us` of each.
    """
    times = {str(row["name"]): float(str(row["self_us"])) for row in rows}
    total = sum(times.values())
    if total == 0:
        if policy == "custom":
            yield flag("engagement-unknown", "the profiler saw no kernel")
        return
    to_host = [name for name in times if name.startswith(TO_HOST)]
    if to_host:
        yield flag("host-offload", to_host[0])
    share = sum(us for name, us in times.items() if not LIBRARIES.match(name)) / total
    if share < LEAST_CUSTOM:
        words = f"{share:.0%} of the GPU's time is in kernels that are not torch's or a library's"
        yield flag("no-custom-code" if policy == "custom" else "torch-does-the-work", words)
