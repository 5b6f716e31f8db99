def attention(q, k, v, scale=None, causal=False):
    """softmax(scale * q @ k^T) @ v over [..., length, dim], without storing the scores.

    scale: 1 / sqrt(dim) by default.
    """
    q, k, v = dense(q), dense(k), dense(v)
    y = torch.empty_like(q)
    queries, dim = q.shape[-2:]
    scale = dim**-0.5 if scale is None else scale
    heads = q.numel() // (queries * dim)
    pointers = q.data_ptr(), k.data_ptr(), v.data_ptr(), y.data_ptr()
    attention_cpp(*pointers, heads, queries, k.shape[-2], dim, scale, causal)
    return y
