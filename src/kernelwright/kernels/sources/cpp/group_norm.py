def group_norm(x, groups, weight, bias, eps):
    """GroupNorm of [batch, channels, ...]; weight and bias may be None."""
    x, weight, bias = dense(x), optional(weight), optional(bias)
    fits(x.dim() > 1 and x.shape[1] and x.shape[1] % groups == 0, x)
    fits(all(p is None or p.shape == x.shape[1:2] for p in (weight, bias)), x, weight, bias)
    y = torch.empty_like(x)
    batch, channels = x.shape[:2]
    inner = x.shape[2:].numel()
    pointers = x.data_ptr(), pointer(weight), pointer(bias), y.data_ptr()
    group_norm_cpp(*pointers, batch, groups, channels // groups, inner, eps)
    return y
