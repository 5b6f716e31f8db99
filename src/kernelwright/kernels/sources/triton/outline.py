@triton.jit
def my_kernel(x, y, cols, BLOCK: tl.constexpr):
    ...


class ModelNew(nn.Module):
    # __init__ as in the reference

    def forward(self, x):
        x = dense(x)
        y = torch.empty_like(x)
        if x.numel():
            rows, cols = x.numel() // x.shape[-1], x.shape[-1]
            my_kernel[(rows,)](x, y, cols, BLOCK=fitting(cols, 16384))
        return y
