def int4_gemv(x, packed, scales, zeros):
    """x @ ((nibbles - zeros) * scales).T, two weights per byte, scales per group of inputs."""
    x, packed, scales, zeros = dense(x), dense(packed, torch.uint8), dense(scales), dense(zeros)
    k = x.shape[-1]
    outputs, groups = scales.shape
    y = torch.empty(*x.shape[:-1], outputs)
    pointers = x.data_ptr(), packed.data_ptr(), scales.data_ptr(), zeros.data_ptr(), y.data_ptr()
    int4_gemv_cpp(*pointers, x.numel() // k, outputs, k, groups)
    return y
