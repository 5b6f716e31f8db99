INT4_GEMV_OUTPUTS = 8
INT4_GEMV_BYTES = 128
INT4_GEMV_WARPS = 4


@triton.jit
def int4_gemv_block(
    x, packed, scales, zeros, y, tokens, outputs, k, groups,
    TOKENS: tl.constexpr, OUTPUTS: tl.constexpr, BYTES: tl.constexpr,
):
    """Some outputs of some tokens; a weight is read once for all of these."""
    token = tl.program_id(1) * TOKENS + tl.arange(0, TOKENS)
    output = (tl.program_id(0) * OUTPUTS + tl.arange(0, OUTPUTS)).to(tl.int64)
    row_bytes, group_bytes = k // 2, k // groups // 2
    total = tl.zeros((TOKENS, OUTPUTS), tl.float32)
    for first in range(0, row_bytes, BYTES):
        i = first + tl.arange(0, BYTES)
        there = (output[:, None] < outputs) & (i[None, :] < row_bytes)
        pairs = tl.load(packed + output[:, None] * row_bytes + i[None, :], mask=there, other=0)
        group = output[:, None] * groups + i[None, :] // group_bytes
        scale = tl.load(scales + group, mask=there, other=0.0)
        zero = tl.load(zeros + group, mask=there, other=0.0)
        low = ((pairs & 15).to(tl.float32) - zero) * scale
        high = ((pairs >> 4).to(tl.float32) - zero) * scale
        at = token[:, None] * k + 2 * i[None, :]
        known = (token[:, None] < tokens) & (i[None, :] < row_bytes)
        even = tl.load(x + at, mask=known, other=0.0)
        odd = tl.load(x + at + 1, mask=known, other=0.0)
        products = even[:, None, :] * low[None, :, :] + odd[:, None, :] * high[None, :, :]
        total += tl.sum(products, axis=2)
    tl.store(
        y + token[:, None] * outputs + output[None, :], total,
        mask=(token[:, None] < tokens) & (output[None, :] < outputs),
    )


def int4_gemv(x, packed, scales, zeros):
    """x @ ((nibbles - zeros) * scales).T, two weights per byte, scales per group of inputs."""
    x, packed, scales, zeros = dense(x), dense(packed, torch.uint8), dense(scales), dense(zeros)
    fits(x.dim() and scales.dim() == 2 and zeros.shape == scales.shape, x, scales, zeros)
    k = x.shape[-1]
    outputs, groups = scales.shape
    whole = groups and k and k % (2 * groups) == 0
    fits(whole and packed.shape == (outputs, k // 2), x, packed, scales)
    tokens = x.numel() // k
    y = x.new_empty(*x.shape[:-1], outputs)
    if y.numel():
        together = fitting(tokens, 4)
        grid = triton.cdiv(outputs, INT4_GEMV_OUTPUTS), triton.cdiv(tokens, together)
        int4_gemv_block[grid](
            x, packed, scales, zeros, y, tokens, outputs, k, groups,
            TOKENS=together, OUTPUTS=INT4_GEMV_OUTPUTS, BYTES=fitting(k // 2, INT4_GEMV_BYTES),
            num_warps=INT4_GEMV_WARPS,
        )
    return y
