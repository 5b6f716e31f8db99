CUMSUM_BLOCK = 4096
CUMSUM_WARPS = 8


@triton.jit
def cumsum_row(x, y, cols, BLOCK: tl.constexpr):
    """A row in pieces; what is carried on is a double, so that errors do not add up."""
    start = tl.program_id(0).to(tl.int64) * cols
    carried = tl.zeros((), tl.float64)
    for first in range(0, cols, BLOCK):
        i = first + tl.arange(0, BLOCK)
        values = tl.load(x + start + i, mask=i < cols, other=0.0).to(tl.float64)
        sums = carried + tl.cumsum(values, axis=0)
        tl.store(y + start + i, sums.to(tl.float32), mask=i < cols)
        carried += tl.sum(values, axis=0)


def cumsum(x):
    """Inclusive prefix sum along the last dimension."""
    x = dense(x)
    fits(x.dim(), x)
    y = torch.empty_like(x)
    cols = x.shape[-1]
    if x.numel():
        block = fitting(cols, CUMSUM_BLOCK)
        cumsum_row[(x.numel() // cols,)](x, y, cols, BLOCK=block, num_warps=CUMSUM_WARPS)
    return y
