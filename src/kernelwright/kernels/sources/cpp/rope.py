def rope(x, cos, sin):
    """x * cos + rotate_half(x) * sin over [..., length, dim] with tables [length, dim]."""
    x, cos, sin = dense(x), dense(cos), dense(sin)
    fits(x.shape[-2:] == cos.shape == sin.shape, x, cos, sin)
    fits(x.dim() > 1 and x.shape[-1] % 2 == 0, x)
    y = torch.empty_like(x)
    length, dim = cos.shape
    pointers = x.data_ptr(), cos.data_ptr(), sin.data_ptr(), y.data_ptr()
    rope_cpp(*pointers, x.shape[:-2].numel(), length, dim)
    return y
