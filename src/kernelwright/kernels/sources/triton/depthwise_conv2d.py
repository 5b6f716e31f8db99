DEPTHWISE_CONV2D_BLOCK = 1024
DEPTHWISE_CONV2D_WARPS = 4


@triton.jit
def depthwise_conv2d_plane(
    x, weight, bias, y, channels, height, width, out_h, out_w, stride, padding, dilation,
    MULTIPLE: tl.constexpr, KERNEL_H: tl.constexpr, KERNEL_W: tl.constexpr, BLOCK: tl.constexpr,
):
    """Some pixels of one output plane."""
    plane = tl.program_id(0).to(tl.int64)
    output = plane % (channels * MULTIPLE)
    source = x + (plane // MULTIPLE) * height * width
    pixel = tl.program_id(1) * BLOCK + tl.arange(0, BLOCK)
    row = pixel // out_w * stride - padding
    col = pixel % out_w * stride - padding
    inside = pixel < out_h * out_w
    total = tl.zeros((BLOCK,), tl.float32)
    for r in tl.static_range(KERNEL_H):
        for c in tl.static_range(KERNEL_W):
            h, w = row + r * dilation, col + c * dilation
            there = inside & (h >= 0) & (h < height) & (w >= 0) & (w < width)
            factor = tl.load(weight + output * (KERNEL_H * KERNEL_W) + r * KERNEL_W + c)
            total += factor * tl.load(source + h * width + w, mask=there, other=0.0)
    if bias is not None:
        total += tl.load(bias + output)
    tl.store(y + plane * out_h * out_w + pixel, total, mask=inside)


def depthwise_conv2d(x, weight, bias, stride=1, padding=0, dilation=1):
    """Convolution of NCHW with one filter (or several) per channel."""
    x, weight, bias = dense(x), dense(weight), parameter(bias)
    fits(x.dim() == weight.dim() == 4 and weight.shape[1] == 1 and x.shape[1] > 0, x, weight)
    batch, channels, height, width = x.shape
    outputs, _, kernel_h, kernel_w = weight.shape
    out_h = (height + 2 * padding - dilation * (kernel_h - 1) - 1) // stride + 1
    out_w = (width + 2 * padding - dilation * (kernel_w - 1) - 1) // stride + 1
    grouped = outputs % channels == 0 and (bias is None or bias.shape == (outputs,))
    fits(grouped and min(out_h, out_w, padding + 1) > 0, x, weight, bias)
    y = x.new_empty(batch, outputs, out_h, out_w)
    if y.numel():
        block = fitting(out_h * out_w, DEPTHWISE_CONV2D_BLOCK)
        grid = batch * outputs, triton.cdiv(out_h * out_w, block)
        depthwise_conv2d_plane[grid](
            x, weight, bias, y, channels, height, width, out_h, out_w,
            stride, padding, dilation,
            MULTIPLE=outputs // channels, KERNEL_H=kernel_h, KERNEL_W=kernel_w, BLOCK=block,
            num_warps=DEPTHWISE_CONV2D_WARPS,
        )
    return y
