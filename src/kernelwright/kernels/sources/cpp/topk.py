def topk(x, k):
    """The k largest along the last dimension in descending order: values, and int64 indices."""
    x = dense(x)
    fits(x.dim() and 0 < k <= x.shape[-1], x)
    cols = x.shape[-1]
    values = x.new_empty(*x.shape[:-1], k)
    indices = torch.empty(*x.shape[:-1], k, dtype=torch.int64)
    topk_cpp(x.data_ptr(), values.data_ptr(), indices.data_ptr(), x.numel() // cols, cols, k)
    return values, indices
