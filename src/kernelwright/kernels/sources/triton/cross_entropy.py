CROSS_ENTROPY_BLOCK = 4096
CROSS_ENTROPY_WARPS = 8


@triton.jit
def cross_entropy_rows(logits, target, losses, counted, classes, ignored, BLOCK: tl.constexpr):
    """The loss of one row, read once; NaN where its target is no class."""
    row = tl.program_id(0).to(tl.int64)
    logits += row * classes
    largest, total = float("-inf"), 0.0
    for first in range(0, classes, BLOCK):
        i = first + tl.arange(0, BLOCK)
        values = tl.load(logits + i, mask=i < classes, other=float("-inf"))
        now = tl.maximum(largest, tl.max(values, axis=0))
        shift = tl.where(now == float("-inf"), 0.0, now)  # -inf - -inf is NaN
        total = total * tl.exp(largest - shift) + tl.sum(tl.exp(values - shift), axis=0)
        largest = now
    label = tl.load(target + row)
    is_class = (label >= 0) & (label < classes)
    own = tl.load(logits + label, mask=is_class, other=float("nan"))
    is_counted = label != ignored
    tl.store(losses + row, tl.where(is_counted, largest - own + tl.log(total), 0.0))
    tl.store(counted + row, is_counted.to(tl.float32))


@triton.jit
def cross_entropy_mean(losses, counted, loss, rows, BLOCK: tl.constexpr):
    """One program, so that the order of the sum is always the same."""
    total = tl.zeros((BLOCK,), tl.float64)
    count = tl.zeros((BLOCK,), tl.float64)
    for first in range(0, rows, BLOCK):
        i = first + tl.arange(0, BLOCK)
        total += tl.load(losses + i, mask=i < rows, other=0.0).to(tl.float64)
        count += tl.load(counted + i, mask=i < rows, other=0.0).to(tl.float64)
    tl.store(loss, (tl.sum(total, axis=0) / tl.sum(count, axis=0)).to(tl.float32))


def cross_entropy(logits, target, ignore_index=-100):
    """Mean cross-entropy of [rows, classes] logits against class indices."""
    logits, target = dense(logits), dense(target, torch.int64)
    fits(logits.dim() == 2 and logits.shape[1] and target.shape == logits.shape[:1], logits, target)
    rows, classes = logits.shape
    losses, counted = logits.new_empty(rows), logits.new_empty(rows)
    loss = logits.new_empty(())
    block = fitting(classes, CROSS_ENTROPY_BLOCK)
    if rows:
        arguments = logits, target, losses, counted, classes, ignore_index
        warps = CROSS_ENTROPY_WARPS
        cross_entropy_rows[(rows,)](*arguments, BLOCK=block, num_warps=warps)
    cross_entropy_mean[(1,)](losses, counted, loss, rows, BLOCK=1024, num_warps=4)
    return loss
