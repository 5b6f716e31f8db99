"""C++: rows of the table added up in the order of the words."""

import torch
from cpp_loader import compile_cpp, dense
from torch import nn

SOURCE = r"""
#include <cstdint>

extern "C" void embedding_sum(const int64_t* ids, const float* table, float* y, int64_t bags,
                              int64_t words, int64_t features) {
#pragma omp parallel for
  for (int64_t bag = 0; bag < bags; ++bag) {
    float* out = y + bag * features;
    for (int64_t f = 0; f < features; ++f) out[f] = 0;
    for (int64_t word = 0; word < words; ++word) {
      const float* row = table + ids[bag * words + word] * features;
      for (int64_t f = 0; f < features; ++f) out[f] += row[f];
    }
  }
}
"""

embedding_sum_cpp = compile_cpp(SOURCE, "embedding_sum", "ppplll")


class ModelNew(nn.Module):
    def __init__(self, entries, features):
        super().__init__()
        self.table = nn.Embedding(entries, features)

    def forward(self, ids):
        ids, table = dense(ids, torch.int64), dense(self.table.weight)
        y = torch.empty(ids.shape[0], table.shape[1])
        embedding_sum_cpp(ids.data_ptr(), table.data_ptr(), y.data_ptr(), *ids.shape, y.shape[1])
        return y
