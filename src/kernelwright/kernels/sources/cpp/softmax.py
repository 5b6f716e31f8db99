def softmax(x):
    """Softmax over the last dimension."""
    x = dense(x)
    fits(x.dim(), x)
    y = torch.empty_like(x)
    cols = x.shape[-1]
    softmax_cpp(x.data_ptr(), y.data_ptr(), x.numel() // max(cols, 1), cols)
    return y
