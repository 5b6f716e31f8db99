@triton.jit
def my_kernel(x, y, cols, BLOCK: tl.constexpr):
    ...


class ModelNew(nn.Module):
    # __init__ as in the reference

    def forward(self, x):
        x = dense(x)
        y = torch.empty_like(x)
        my_kernel[(x.numel() // x.shape[-1],)](x, y, x.shape[-1], BLOCK=fitting(x.shape[-1], 16384))
        return y
