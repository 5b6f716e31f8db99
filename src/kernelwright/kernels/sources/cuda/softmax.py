def softmax(x):
    """Softmax over the last dimension."""
    x = dense(x)
    fits(x.dim(), x)
    y = torch.empty_like(x)
    cols = x.shape[-1]
    if x.numel():
        grid, block = (x.numel() // cols, 1, 1), (SOFTMAX_THREADS, 1, 1)
        softmax_cuda(grid=grid, block=block, args=[x, y, cols])
    return y
