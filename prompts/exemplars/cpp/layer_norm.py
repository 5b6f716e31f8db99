def layer_norm(x, weight, bias, cols, eps):
    """LayerNorm over the last dimensions, `cols` elements in all; weight and bias may be None."""
    x = dense(x)
    y = torch.empty_like(x)
    parameters = pointer(weight), pointer(bias)
    layer_norm_cpp(x.data_ptr(), *parameters, y.data_ptr(), x.numel() // cols, cols, eps)
    return y
