import torch
from torch import nn


class ModelNew(nn.Module):
    def __init__(self, in_features, hidden, out_features, momentum=0.1):
        super().__init__()
        self.fc1 = nn.Linear(in_features, hidden, bias=False)
        self.bn1 = nn.BatchNorm1d(hidden, momentum=momentum)
        self.fc2 = nn.Linear(hidden, out_features)

    def forward(self, x):
        bn = self.bn1
        h = torch.mm(x, self.fc1.weight.t())
        bn.num_batches_tracked.add_(1)
        h = torch.batch_norm(
            h, bn.weight, bn.bias, bn.running_mean, bn.running_var, True, 0.1, 1e-5, False
        )
        return torch.addmm(self.fc2.bias, h.relu_(), self.fc2.weight.t())
