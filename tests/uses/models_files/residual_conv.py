import torch
import torch.nn as nn
import torch.nn.functional as F


def fold(conv, bn):
    factor = bn.weight / torch.sqrt(bn.running_var + bn.eps)
    return conv.weight * factor[:, None, None, None], bn.bias - bn.running_mean * factor


class ModelNew(nn.Module):
    def __init__(self, inplanes, planes, stride=1):
        super().__init__()
        self.conv1 = nn.Conv2d(inplanes, planes, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(planes)
        self.conv2 = nn.Conv2d(planes, planes, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(planes)
        self.downsample = nn.Sequential(
            nn.Conv2d(inplanes, planes, 1, stride, bias=False), nn.BatchNorm2d(planes)
        )
        self.stride = stride

    def forward(self, x):
        # folding is cheap beside the convolutions, so it is done at every call
        weight, bias = fold(*self.downsample)
        identity = F.conv2d(x, weight, bias, self.stride)
        weight, bias = fold(self.conv1, self.bn1)
        h = F.conv2d(x, weight, bias, self.stride, 1).relu_()
        weight, bias = fold(self.conv2, self.bn2)
        return F.conv2d(h, weight, bias, 1, 1).add_(identity).relu_()
