GROUP_NORM_BLOCK = 4096
GROUP_NORM_WARPS = 8


@triton.jit
def group_norm_kernel(x, weight, bias, y, groups, channels, inner, eps, BLOCK: tl.constexpr):
    """A group in pieces, read three times: mean, variance, result."""
    cols = channels * inner
    row = tl.program_id(0).to(tl.int64)
    start = row * cols
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
        channel = row % groups * channels + i // inner
        result = (tl.load(x + start + i, mask=i < cols) - mean) * scale
        if weight is not None:
            result *= tl.load(weight + channel, mask=i < cols)
        if bias is not None:
            result += tl.load(bias + channel, mask=i < cols)
        tl.store(y + start + i, result, mask=i < cols)


def group_norm(x, groups, weight, bias, eps):
    """GroupNorm of [batch, channels, ...]; weight and bias may be None."""
    x, weight, bias = dense(x), parameter(weight), parameter(bias)
    fits(x.dim() > 1 and x.shape[1] and x.shape[1] % groups == 0, x)
    fits(all(p is None or p.shape == x.shape[1:2] for p in (weight, bias)), x, weight, bias)
    y = torch.empty_like(x)
    inner, channels = x.shape[2:].numel(), x.shape[1] // groups
    if x.numel():
        arguments = x, weight, bias, y, groups, channels, inner, eps
        block = fitting(channels * inner, GROUP_NORM_BLOCK)
        grid = (x.shape[0] * groups,)
        group_norm_kernel[grid](*arguments, BLOCK=block, num_warps=GROUP_NORM_WARPS)
    return y
