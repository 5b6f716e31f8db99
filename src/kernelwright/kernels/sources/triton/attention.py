ATTENTION_QUERIES = 64
ATTENTION_KEYS = 32
ATTENTION_WARPS = 8
ATTENTION_STAGES = 2


@triton.jit
def attention_block(
    q, k, v, y, queries, keys, scale, CAUSAL: tl.constexpr,
    DIM: tl.constexpr, PADDED: tl.constexpr, QUERIES: tl.constexpr, KEYS: tl.constexpr,
):
    """Some queries of one head against all keys, whose scores are never stored (online softmax)."""
    head = tl.program_id(1).to(tl.int64)
    row = tl.program_id(0) * QUERIES + tl.arange(0, QUERIES)
    i = tl.arange(0, PADDED)
    at = head * queries * DIM + row[:, None] * DIM + i[None, :]
    inside = (row[:, None] < queries) & (i[None, :] < DIM)
    # Powers of two instead of e: one instruction on the GPU.
    rows = tl.load(q + at, mask=inside, other=0.0) * (scale * 1.4426950408889634)
    largest = tl.full((QUERIES,), float("-inf"), tl.float32)
    total = tl.zeros((QUERIES,), tl.float32)
    result = tl.zeros((QUERIES, PADDED), tl.float32)
    end = keys
    if CAUSAL:
        end = tl.minimum(keys, (tl.program_id(0) + 1) * QUERIES)
    for first in range(0, end, KEYS):
        col = first + tl.arange(0, KEYS)
        place = head * keys * DIM + col[:, None] * DIM + i[None, :]
        there = (col[:, None] < keys) & (i[None, :] < DIM)
        scores = tl.dot(
            rows, tl.trans(tl.load(k + place, mask=there, other=0.0)), input_precision="tf32x3"
        )
        seen = col[None, :] < keys
        if CAUSAL:
            seen = seen & (col[None, :] <= row[:, None])
        scores = tl.where(seen, scores, float("-inf"))
        now = tl.maximum(largest, tl.max(scores, axis=1))
        shift = tl.where(now == float("-inf"), 0.0, now)  # -inf - -inf is NaN
        powers = tl.exp2(scores - shift[:, None])
        kept = tl.exp2(largest - shift)
        total = total * kept + tl.sum(powers, axis=1)
        values = tl.load(v + place, mask=there, other=0.0)
        result = tl.dot(powers, values, result * kept[:, None], input_precision="tf32x3")
        largest = now
    tl.store(y + at, result / total[:, None], mask=inside)


def attention(q, k, v, scale=None, causal=False):
    """softmax(scale * q @ k^T) @ v over [..., length, dim], without storing the scores.

    scale: 1 / sqrt(dim) by default.
    """
    q, k, v = dense(q), dense(k), dense(v)
    same = q.shape[:-2] == k.shape[:-2] and q.shape[-1:] == k.shape[-1:] and k.shape == v.shape
    fits(same and q.dim() > 1 and (q.shape == k.shape or not causal), q, k, v)
    fits(min(k.shape[-2:]) > 0, k)
    y = torch.empty_like(q)
    queries, dim = q.shape[-2:]
    if q.numel():
        grid = triton.cdiv(queries, ATTENTION_QUERIES), q.numel() // (queries * dim)
        attention_block[grid](
            q, k, v, y, queries, k.shape[-2], dim**-0.5 if scale is None else scale, CAUSAL=causal,
            DIM=dim, PADDED=max(16, triton.next_power_of_2(dim)),
            QUERIES=ATTENTION_QUERIES, KEYS=ATTENTION_KEYS,
            num_warps=ATTENTION_WARPS, num_stages=ATTENTION_STAGES,
        )
    return y
