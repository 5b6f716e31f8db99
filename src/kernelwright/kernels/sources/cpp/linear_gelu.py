def linear_gelu(x, weight, bias, approximate=False):
    """gelu(x @ weight.T + bias); approximate: the tanh form. bias may be None."""
    x, weight, bias = dense(x), dense(weight), optional(bias)
    fits(weight.dim() == 2 and weight.numel() and x.shape[-1:] == weight.shape[1:], x, weight)
    fits(bias is None or bias.shape == weight.shape[:1], weight, bias)
    n, k = weight.shape
    y = x.new_empty(*x.shape[:-1], n)
    pointers = x.data_ptr(), weight.data_ptr(), pointer(bias), y.data_ptr()
    linear_gelu_cpp(*pointers, x.numel() // k, n, k, approximate)
    return y
