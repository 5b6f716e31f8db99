ROPE_ROWS = 8
ROPE_WARPS = 4


@triton.jit
def rope_rows(x, cos, sin, y, rows, length, HALF: tl.constexpr, PADDED: tl.constexpr, ROWS: tl.constexpr):
    """Some rows: both halves of each are read and written once."""
    row = tl.program_id(0).to(tl.int64) * ROWS + tl.arange(0, ROWS)[:, None]
    i = tl.arange(0, PADDED)[None, :]
    inside = (row < rows) & (i < HALF)
    at = row * (2 * HALF) + i
    table = (row % length) * (2 * HALF) + i
    first = tl.load(x + at, mask=inside)
    second = tl.load(x + at + HALF, mask=inside)
    cos_first, sin_first = tl.load(cos + table, mask=inside), tl.load(sin + table, mask=inside)
    cos_second = tl.load(cos + table + HALF, mask=inside)
    sin_second = tl.load(sin + table + HALF, mask=inside)
    tl.store(y + at, first * cos_first - second * sin_first, mask=inside)
    tl.store(y + at + HALF, second * cos_second + first * sin_second, mask=inside)


def rope(x, cos, sin):
    """x * cos + rotate_half(x) * sin over [..., length, dim] with tables [length, dim]."""
    x, cos, sin = dense(x), dense(cos), dense(sin)
    fits(x.shape[-2:] == cos.shape == sin.shape, x, cos, sin)
    fits(x.dim() > 1 and x.shape[-1] % 2 == 0, x)
    y = torch.empty_like(x)
    length, dim = cos.shape
    rows, half = x.shape[:-1].numel(), dim // 2
    if x.numel():
        rope_rows[(triton.cdiv(rows, ROPE_ROWS),)](
            x, cos, sin, y, rows, length,
            HALF=half, PADDED=triton.next_power_of_2(half), ROWS=ROPE_ROWS, num_warps=ROPE_WARPS,
        )
    return y
