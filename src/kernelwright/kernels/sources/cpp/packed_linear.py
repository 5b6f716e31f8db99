def packed(weight):
    """A weight [n, k] in the order in which the kernel reads it: [ceil(n / 16), k, 16]."""
    n, k = weight.shape
    padded = nn.functional.pad(dense(weight.detach()), (0, 0, 0, -n % 16))
    return padded.view(-1, 16, k).transpose(1, 2).contiguous()


def packed_linear(x, panels, bias, n):
    """x @ weight.T + bias for a packed weight of n rows; bias may be None."""
    x, bias, k = dense(x), optional(bias), panels.shape[1]
    fits(x.dim() and x.shape[-1] == k, x, panels)
    fits(bias is None or bias.shape == (n,), panels, bias)
    y = x.new_empty(*x.shape[:-1], n)
    pointers = x.data_ptr(), panels.data_ptr(), pointer(bias), y.data_ptr()
    packed_linear_cpp(*pointers, x.numel() // k, n, k)
    return y


class ModelNew(nn.Module):
    def __init__(self, in_features, out_features):
        super().__init__()
        self.linear = nn.Linear(in_features, out_features)
        self.panels = self.packed_from = self.held = None

    def forward(self, x):
        weight = self.linear.weight
        now = weight.data_ptr(), weight._version
        if now != self.packed_from:
            self.panels, self.packed_from = packed(weight), now
            self.held = (weight,)  # as long as it lives, no other one lies at its address
        return packed_linear(x, self.panels, self.linear.bias, weight.shape[0])
