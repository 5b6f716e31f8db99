LAYER_NORM_BLOCK = 16384
LAYER_NORM_WARPS = 8


@triton.jit
def layer_norm_short(x, weight, bias, y, cols, eps, BLOCK: tl.constexpr):
    """A row that stays in registers."""
    start = tl.program_id(0).to(tl.int64) * cols
    i = tl.arange(0, BLOCK)
    values = tl.load(x + start + i, mask=i < cols, other=0.0)
    mean = tl.sum(values, axis=0) / cols
    centered = tl.where(i < cols, values - mean, 0.0)
    variance = tl.sum(centered * centered, axis=0) / cols
    result = centered * (1.0 / tl.sqrt(variance + eps))
    if weight is not None:
        result *= tl.load(weight + i, mask=i < cols)
    if bias is not None:
        result += tl.load(bias + i, mask=i < cols)
    tl.store(y + start + i, result, mask=i < cols)


@triton.jit
def layer_norm_long(x, weight, bias, y, cols, eps, BLOCK: tl.constexpr):
    """A row in pieces, read three times: mean, variance, result."""
    start = tl.program_id(0).to(tl.int64) * cols
    total = 0.0
    for first in range(0, cols, BLOCK):
        i = first + tl.arange(0, BLOCK)
        total += tl.sum(tl.load(x + start + i, mask=i < cols, other=0.0), axis=0)
    mean = total / cols
    squares = 0.0
    for first in range(0, cols, BLOCK):
        i = first + tl.arange(0, BLOCK)
        values = tl.load(x + start + i, mask=i < cols, other=0.0)
        centered = tl.where(i < cols, values - mean, 0.0)
        squares += tl.sum(centered * centered, axis=0)
    scale = 1.0 / tl.sqrt(squares / cols + eps)
    for first in range(0, cols, BLOCK):
        i = first + tl.arange(0, BLOCK)
        result = (tl.load(x + start + i, mask=i < cols) - mean) * scale
        if weight is not None:
            result *= tl.load(weight + i, mask=i < cols)
        if bias is not None:
            result += tl.load(bias + i, mask=i < cols)
        tl.store(y + start + i, result, mask=i < cols)


def layer_norm(x, weight, bias, eps, dims=1):
    """LayerNorm over the last `dims` dimensions; weight and bias may be None."""
    x, weight, bias = dense(x), parameter(weight), parameter(bias)
    fits(0 < dims <= x.dim(), x)
    fits(all(p is None or p.shape == x.shape[-dims:] for p in (weight, bias)), x, weight, bias)
    y = torch.empty_like(x)
    cols = x.shape[-dims:].numel()
    if x.numel():
        kernel = layer_norm_short if cols <= LAYER_NORM_BLOCK else layer_norm_long
        arguments = x, weight, bias, y, cols, eps
        block = fitting(cols, LAYER_NORM_BLOCK)
        kernel[(x.numel() // cols,)](*arguments, BLOCK=block, num_warps=LAYER_NORM_WARPS)
    return y
