LINEAR_GELU_BLOCK_M = 128
LINEAR_GELU_BLOCK_N = 128
LINEAR_GELU_BLOCK_K = 16
LINEAR_GELU_WARPS = 8
LINEAR_GELU_STAGES = 3
LINEAR_GELU_GROUP = 8


@triton.jit
def linear_gelu_tile(
    x, weight, bias, y, m, n, k, TANH: tl.constexpr,
    BLOCK_M: tl.constexpr, BLOCK_N: tl.constexpr, BLOCK_K: tl.constexpr, GROUP: tl.constexpr,
):
    """One tile; tiles that run together share rows of x and of weight in the L2 cache."""
    tiles_m, tiles_n = tl.cdiv(m, BLOCK_M), tl.cdiv(n, BLOCK_N)
    tile = tl.program_id(0)
    first_m = tile // (GROUP * tiles_n) * GROUP
    group = tl.minimum(tiles_m - first_m, GROUP)
    tile_m = first_m + tile % (GROUP * tiles_n) % group
    tile_n = tile % (GROUP * tiles_n) // group
    row = (tile_m * BLOCK_M + tl.arange(0, BLOCK_M)).to(tl.int64)
    col = (tile_n * BLOCK_N + tl.arange(0, BLOCK_N)).to(tl.int64)
    total = tl.zeros((BLOCK_M, BLOCK_N), tl.float32)
    for first in range(0, k, BLOCK_K):
        i = first + tl.arange(0, BLOCK_K)
        rows = tl.load(
            x + row[:, None] * k + i[None, :],
            mask=(row[:, None] < m) & (i[None, :] < k), other=0.0,
        )
        cols = tl.load(
            weight + col[None, :] * k + i[:, None],
            mask=(col[None, :] < n) & (i[:, None] < k), other=0.0,
        )
        # Three TF32 products on tensor cores are about as exact as one in float32.
        total = tl.dot(rows, cols, total, input_precision="tf32x3")
    if bias is not None:
        total += tl.load(bias + col, mask=col < n)[None, :]
    if TANH:
        inner = 0.7978845608028654 * (total + 0.044715 * total * total * total)
        result = total * tl.sigmoid(2.0 * inner)
    else:
        result = 0.5 * total * (1.0 + tl.erf(total * 0.7071067811865476))
    tl.store(
        y + row[:, None] * n + col[None, :], result, mask=(row[:, None] < m) & (col[None, :] < n)
    )


def linear_gelu(x, weight, bias, approximate=False):
    """gelu(x @ weight.T + bias); approximate: the tanh form. bias may be None."""
    x, weight, bias = dense(x), dense(weight), parameter(bias)
    fits(weight.dim() == 2 and weight.numel() and x.shape[-1:] == weight.shape[1:], x, weight)
    fits(bias is None or bias.shape == weight.shape[:1], weight, bias)
    n, k = weight.shape
    m = x.numel() // k
    y = x.new_empty(*x.shape[:-1], n)
    block_m, block_n = LINEAR_GELU_BLOCK_M, LINEAR_GELU_BLOCK_N
    if y.numel():
        linear_gelu_tile[(triton.cdiv(m, block_m) * triton.cdiv(n, block_n),)](
            x, weight, bias, y, m, n, k, TANH=approximate,
            BLOCK_M=block_m, BLOCK_N=block_n, BLOCK_K=LINEAR_GELU_BLOCK_K,
            GROUP=LINEAR_GELU_GROUP,
            num_warps=LINEAR_GELU_WARPS, num_stages=LINEAR_GELU_STAGES,
        )
    return y
