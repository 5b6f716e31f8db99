def cross_entropy(logits, target, ignore_index=-100):
    """Mean cross-entropy of [rows, classes] logits against class indices."""
    logits, target = dense(logits), dense(target, torch.int64)
    fits(logits.dim() == 2 and logits.shape[1] and target.shape == logits.shape[:1], logits, target)
    loss = torch.empty((), dtype=torch.float32)
    pointers = logits.data_ptr(), target.data_ptr(), loss.data_ptr()
    if cross_entropy_cpp(*pointers, *logits.shape, ignore_index) != 0:
        raise IndexError("target is out of bounds")
    return loss
