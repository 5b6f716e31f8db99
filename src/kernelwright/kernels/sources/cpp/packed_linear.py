class Packed:
    """A weight in the order in which the kernel reads it; packed again when it has changed."""

    def __init__(self):
        self.kept = None, None, None

    def of(self, weight):
        owner, seen, panels = self.kept
        now = weight.data_ptr(), weight._version
        # Who holds the weight is sure that no other one comes to lie at its address.
        if owner is not weight or seen != now:
            n, k = weight.shape
            padded = nn.functional.pad(dense(weight.detach()), (0, 0, 0, -n % 16))
            panels = padded.view(-1, 16, k).transpose(1, 2).contiguous()
            self.kept = weight, now, panels
        return panels


def packed_linear(x, weight, bias, packed):
    """x @ weight.T + bias; bias may be None. packed: keeps the weight's panels between calls."""
    x, bias = dense(x), optional(bias)
    fits(weight.dim() == 2 and weight.numel() and x.shape[-1:] == weight.shape[1:], x, weight)
    fits(bias is None or bias.shape == weight.shape[:1], weight, bias)
    n, k = weight.shape
    y = x.new_empty(*x.shape[:-1], n)
    panels = packed.of(weight)
    packed_linear_cpp(x.data_ptr(), panels.data_ptr(), pointer(bias), y.data_ptr(), x.numel() // k, n, k)
    return y


class ModelNew(nn.Module):
    def __init__(self, in_features, out_features):
        super().__init__()
        self.linear = nn.Linear(in_features, out_features)
        self.packed = Packed()

    def forward(self, x):
        return packed_linear(x, self.linear.weight, self.linear.bias, self.packed)
