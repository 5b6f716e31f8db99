RMS_NORM_BLOCK = 16384
RMS_NORM_WARPS = 8


@triton.jit
def rms_norm_short(x, residual, weight, y, total, cols, eps, BLOCK: tl.constexpr):
    """A row that stays in registers."""
    start = tl.program_id(0).to(tl.int64) * cols
    i = tl.arange(0, BLOCK)
    values = tl.load(x + start + i, mask=i < cols, other=0.0)
    if residual is not None:
        values += tl.load(residual + start + i, mask=i < cols, other=0.0)
        tl.store(total + start + i, values, mask=i < cols)
    result = values * (1.0 / tl.sqrt(tl.sum(values * values, axis=0) / cols + eps))
    if weight is not None:
        result *= tl.load(weight + i, mask=i < cols)
    tl.store(y + start + i, result, mask=i < cols)


@triton.jit
def rms_norm_long(x, residual, weight, y, total, cols, eps, BLOCK: tl.constexpr):
    """A row in pieces, read twice: once for its squares, once for the result."""
    start = tl.program_id(0).to(tl.int64) * cols
    squares = 0.0
    for first in range(0, cols, BLOCK):
        i = first + tl.arange(0, BLOCK)
        values = tl.load(x + start + i, mask=i < cols, other=0.0)
        if residual is not None:
            values += tl.load(residual + start + i, mask=i < cols, other=0.0)
        squares += tl.sum(values * values, axis=0)
    scale = 1.0 / tl.sqrt(squares / cols + eps)
    for first in range(0, cols, BLOCK):
        i = first + tl.arange(0, BLOCK)
        values = tl.load(x + start + i, mask=i < cols)
        if residual is not None:
            values += tl.load(residual + start + i, mask=i < cols)
            tl.store(total + start + i, values, mask=i < cols)
        if weight is not None:
            values *= tl.load(weight + i, mask=i < cols)
        tl.store(y + start + i, values * scale, mask=i < cols)


def rms_norm(x, residual, weight, eps):
    """RMSNorm over the last dimension of x, or of x + residual, which is returned as well."""
    x, residual, weight = dense(x), parameter(residual), parameter(weight)
    fits(x.dim() and (residual is None or residual.shape == x.shape), x, residual)
    fits(weight is None or weight.shape == x.shape[-1:], x, weight)
    y = torch.empty_like(x)
    total = None if residual is None else torch.empty_like(x)
    cols = x.shape[-1]
    if x.numel():
        kernel = rms_norm_short if cols <= RMS_NORM_BLOCK else rms_norm_long
        arguments = x, residual, weight, y, total, cols, eps
        block = fitting(cols, RMS_NORM_BLOCK)
        kernel[(x.numel() // cols,)](*arguments, BLOCK=block, num_warps=RMS_NORM_WARPS)
    return y if residual is None else (y, total)
