def int4_gemv(x, packed, scales, zeros):
    """x @ ((nibbles - zeros) * scales).T, two weights per byte, scales per group of inputs."""
    x, packed, scales, zeros = dense(x), dense(packed, torch.uint8), dense(scales), dense(zeros)
    fits(x.dim() and scales.dim() == 2 and zeros.shape == scales.shape, x, scales, zeros)
    k = x.shape[-1]
    outputs, groups = scales.shape
    whole = groups and k and k % (2 * groups) == 0
    fits(whole and packed.shape == (outputs, k // 2), x, packed, scales)
    y = x.new_empty(*x.shape[:-1], outputs)
    pointers = x.data_ptr(), packed.data_ptr(), scales.data_ptr(), zeros.data_ptr(), y.data_ptr()
    int4_gemv_cpp(*pointers, x.numel() // k, outputs, k, groups)
    return y
