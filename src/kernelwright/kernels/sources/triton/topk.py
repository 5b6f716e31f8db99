TOPK_BLOCK = 4096
TOPK_WARPS = 8


@triton.jit
def topk_order(values):
    """Unsigned numbers in the order of the values; NaN is the largest, as in torch.topk."""
    bits = values.to(tl.int32, bitcast=True)
    bits = tl.where(values != values, 0x7FFFFFFF, bits)
    return (bits ^ ((bits >> 31) & 0x7FFFFFFF)).to(tl.uint32, bitcast=True) ^ 0x80000000


@triton.jit
def topk_select(x, chosen, cols, k, PADDED: tl.constexpr, BLOCK: tl.constexpr):
    """The k largest of a row, unsorted, each with its index in the lower half.

    The k-th largest is found bit by bit: is there room for k above a threshold with this bit?
    """
    row = tl.program_id(0).to(tl.int64)
    x += row * cols
    threshold = tl.zeros((), tl.uint32)
    bit = tl.full((), 0x80000000, tl.uint32)
    for _ in range(32):
        higher = threshold | bit
        count = 0
        for first in range(0, cols, BLOCK):
            i = first + tl.arange(0, BLOCK)
            order = topk_order(tl.load(x + i, mask=i < cols, other=0.0))
            count += tl.sum(((order >= higher) & (i < cols)).to(tl.int32), axis=0)
        threshold = tl.where(count >= k, higher, threshold)
        bit = bit >> 1
    above = 0
    for first in range(0, cols, BLOCK):
        i = first + tl.arange(0, BLOCK)
        order = topk_order(tl.load(x + i, mask=i < cols, other=0.0))
        above += tl.sum(((order > threshold) & (i < cols)).to(tl.int32), axis=0)
    larger, equal = 0, above
    for first in range(0, cols, BLOCK):
        i = first + tl.arange(0, BLOCK)
        order = topk_order(tl.load(x + i, mask=i < cols, other=0.0))
        is_larger = ((order > threshold) & (i < cols)).to(tl.int32)
        is_equal = ((order == threshold) & (i < cols)).to(tl.int32)
        place = tl.where(
            is_larger != 0, larger + tl.cumsum(is_larger, axis=0), equal + tl.cumsum(is_equal, axis=0)
        ) - 1
        entry = (order.to(tl.uint64) << 32) | (0xFFFFFFFF - i.to(tl.int64)).to(tl.uint64)
        taken = ((is_larger | is_equal) != 0) & (place < k)
        tl.store(chosen + row * PADDED + place, entry.to(tl.int64, bitcast=True), mask=taken)
        larger += tl.sum(is_larger, axis=0)
        equal += tl.sum(is_equal, axis=0)


@triton.jit
def topk_sort(x, chosen, values, indices, cols, k, PADDED: tl.constexpr):
    """The chosen ones of a row in descending order, equal ones by index."""
    row = tl.program_id(0).to(tl.int64)
    i = tl.arange(0, PADDED)
    entry = tl.load(chosen + row * PADDED + i).to(tl.uint64, bitcast=True)
    entry = tl.sort(entry, descending=True)
    index = 0xFFFFFFFF - (entry & 0xFFFFFFFF).to(tl.int64)
    tl.store(indices + row * k + i, index, mask=i < k)
    tl.store(values + row * k + i, tl.load(x + row * cols + index, mask=i < k), mask=i < k)


def topk(x, k):
    """The k largest along the last dimension in descending order: values, and int64 indices."""
    x = dense(x)
    fits(x.dim() and 0 < k <= x.shape[-1], x)
    cols = x.shape[-1]
    values = x.new_empty(*x.shape[:-1], k)
    indices = torch.empty(values.shape, dtype=torch.int64, device=x.device)
    if values.numel():
        rows, padded = x.numel() // cols, triton.next_power_of_2(k)
        # Places after the k-th hold 0, which nothing that was chosen is below.
        chosen = torch.zeros(rows, padded, dtype=torch.int64, device=x.device)
        block = fitting(cols, TOPK_BLOCK)
        topk_select[(rows,)](x, chosen, cols, k, PADDED=padded, BLOCK=block, num_warps=TOPK_WARPS)
        topk_sort[(rows,)](x, chosen, values, indices, cols, k, PADDED=padded, num_warps=1)
    return values, indices
