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
    scale = dim**-0.5 if scale is None else scale
    heads = q.shape[:-2].numel()
    pointers = q.data_ptr(), k.data_ptr(), v.data_ptr(), y.data_ptr()
    attention_cpp(*pointers, heads, queries, k.shape[-2], dim, scale, causal)
    return y
