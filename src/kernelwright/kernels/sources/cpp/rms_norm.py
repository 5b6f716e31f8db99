def rms_norm(x, residual, weight, eps):
    """RMSNorm over the last dimension of x, or of x + residual, which is returned as well."""
    x, residual, weight = dense(x), optional(residual), optional(weight)
    fits(x.dim() and (residual is None or residual.shape == x.shape), x, residual)
    fits(weight is None or weight.shape == x.shape[-1:], x, weight)
    y = torch.empty_like(x)
    cols = x.shape[-1]
    rows = x.numel() // max(cols, 1)
    if residual is None:
        rms_norm_cpp(x.data_ptr(), None, pointer(weight), y.data_ptr(), None, rows, cols, eps)
        return y
    total = torch.empty_like(x)
    inputs = x.data_ptr(), residual.data_ptr(), pointer(weight)
    rms_norm_cpp(*inputs, y.data_ptr(), total.data_ptr(), rows, cols, eps)
    return y, total
