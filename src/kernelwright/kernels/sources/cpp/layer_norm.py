def layer_norm(x, weight, bias, eps, dims=1):
    """LayerNorm over the last `dims` dimensions; weight and bias may be None."""
    x = dense(x)
    y = torch.empty_like(x)
    cols = x.shape[-dims:].numel()
    parameters = pointer(weight), pointer(bias)
    layer_norm_cpp(x.data_ptr(), *parameters, y.data_ptr(), x.numel() // cols, cols, eps)
    return y
