SOURCE = r'''
extern "C" __global__ void __launch_bounds__(THREADS) my_kernel(const float* x, float* y, int cols) {
  ...
}
'''
KERNEL_THREADS = 256
kernel_cuda = compile_cuda(f"#define THREADS {KERNEL_THREADS}\n" + HELPERS + SOURCE, "my_kernel")


class ModelNew(nn.Module):
    # __init__ as in the reference

    def forward(self, x):
        x = dense(x)
        y = torch.empty_like(x)
        if x.numel():
            grid, block = (x.numel() // x.shape[-1], 1, 1), (KERNEL_THREADS, 1, 1)
            kernel_cuda(grid=grid, block=block, args=[x, y, x.shape[-1]])
        return y
