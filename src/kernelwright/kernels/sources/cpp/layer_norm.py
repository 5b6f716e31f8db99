def layer_norm(x, weight, bias, eps, dims=1):
    """LayerNorm over the last `dims` dimensions; weight and bias may be None."""
    x, weight, bias = dense(x), optional(weight), optional(bias)
    fits(0 < dims <= x.dim(), x)
    fits(all(p is None or p.shape == x.shape[-dims:] for p in (weight, bias)), x, weight, bias)
    y = torch.empty_like(x)
    cols = x.shape[-dims:].numel()
    parameters = pointer(weight), pointer(bias)
    layer_norm_cpp(x.data_ptr(), *parameters, y.data_ptr(), x.numel() // max(cols, 1), cols, eps)
    return y
