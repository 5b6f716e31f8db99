SOFTMAX_BLOCK = 16384
SOFTMAX_WARPS = 8


@triton.jit
def softmax_short(x, y, cols, BLOCK: tl.constexpr):
    """A row that stays in registers."""
    start = tl.program_id(0).to(tl.int64) * cols
    i = tl.arange(0, BLOCK)
    values = tl.load(x + start + i, mask=i < cols, other=float("-inf"))
    powers = tl.exp(values - tl.max(values, axis=0))
    tl.store(y + start + i, powers / tl.sum(powers, axis=0), mask=i < cols)


@triton.jit
def softmax_long(x, y, cols, BLOCK: tl.constexpr):
    """A row in pieces, read twice: once for its largest value and its sum, once for the result."""
    start = tl.program_id(0).to(tl.int64) * cols
    largest, total = float("-inf"), 0.0
    for first in range(0, cols, BLOCK):
        i = first + tl.arange(0, BLOCK)
        values = tl.load(x + start + i, mask=i < cols, other=float("-inf"))
        now = tl.maximum(largest, tl.max(values, axis=0))
        shift = tl.where(now == float("-inf"), 0.0, now)  # -inf - -inf is NaN
        total = total * tl.exp(largest - shift) + tl.sum(tl.exp(values - shift), axis=0)
        largest = now
    for first in range(0, cols, BLOCK):
        i = first + tl.arange(0, BLOCK)
        values = tl.load(x + start + i, mask=i < cols)
        tl.store(y + start + i, tl.exp(values - largest) / total, mask=i < cols)


def softmax(x):
    """Softmax over the last dimension."""
    x = dense(x)
    fits(x.dim(), x)
    y = torch.empty_like(x)
    cols = x.shape[-1]
    if x.numel():
        kernel = softmax_short if cols <= SOFTMAX_BLOCK else softmax_long
        block = fitting(cols, SOFTMAX_BLOCK)
        kernel[(x.numel() // cols,)](x, y, cols, BLOCK=block, num_warps=SOFTMAX_WARPS)
    return y
