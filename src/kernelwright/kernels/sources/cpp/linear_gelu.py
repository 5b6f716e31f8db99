def linear_gelu(x, weight, bias, approximate=False):
    """gelu(x @ weight.T + bias); approximate: the tanh form. bias may be None."""
    x, weight = dense(x), dense(weight)
    n, k = weight.shape
    y = torch.empty(*x.shape[:-1], n)
    pointers = x.data_ptr(), weight.data_ptr(), pointer(bias), y.data_ptr()
    linear_gelu_cpp(*pointers, x.numel() // k, n, k, approximate)
    return y
