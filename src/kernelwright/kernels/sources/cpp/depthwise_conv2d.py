def depthwise_conv2d(x, weight, bias, stride=1, padding=0, dilation=1):
    """Convolution of NCHW with one filter (or several) per channel."""
    x, weight, bias = dense(x), dense(weight), optional(bias)
    fits(x.dim() == weight.dim() == 4 and weight.shape[1] == 1 and x.shape[1] > 0, x, weight)
    batch, channels, height, width = x.shape
    outputs, _, kernel_h, kernel_w = weight.shape
    out_h = (height + 2 * padding - dilation * (kernel_h - 1) - 1) // stride + 1
    out_w = (width + 2 * padding - dilation * (kernel_w - 1) - 1) // stride + 1
    grouped = outputs % channels == 0 and (bias is None or bias.shape == (outputs,))
    fits(grouped and min(out_h, out_w, padding + 1) > 0, x, weight, bias)
    y = x.new_empty(batch, outputs, out_h, out_w)
    pointers = x.data_ptr(), weight.data_ptr(), pointer(bias), y.data_ptr()
    sizes = batch, channels, height, width, outputs // channels, kernel_h, kernel_w
    depthwise_conv2d_cpp(*pointers, *sizes, stride, padding, dilation)
    return y
