def rope(x, cos, sin):
    """x * cos + rotate_half(x) * sin over [..., length, dim] with tables [length, dim]."""
    x, cos, sin = dense(x), dense(cos), dense(sin)
    y = torch.empty_like(x)
    length, dim = cos.shape
    pointers = x.data_ptr(), cos.data_ptr(), sin.data_ptr(), y.data_ptr()
    rope_cpp(*pointers, x.numel() // (length * dim), length, dim)
    return y
