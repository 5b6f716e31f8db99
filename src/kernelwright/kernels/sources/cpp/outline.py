SOURCE = r'''
extern "C" void kernel(const float* x, float* y, int64_t rows, int64_t cols) {
  ...
}
'''
kernel_cpp = compile_cpp(HELPERS + SOURCE, "kernel", "ppll")


class ModelNew(nn.Module):
    # __init__ as in the reference

    def forward(self, x):
        x = dense(x)
        y = torch.empty_like(x)
        kernel_cpp(x.data_ptr(), y.data_ptr(), x.numel() // max(x.shape[-1], 1), x.shape[-1])
        return y
