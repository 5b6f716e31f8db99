import torch
import torch.nn as nn


class Model(nn.Module):
    """Classes and boxes from shared features, in a dictionary."""

    def __init__(self, channels=128, classes=21, box_scale=1.0):
        super().__init__()
        self.trunk = nn.Sequential(nn.Linear(channels, channels), nn.ReLU())
        self.class_embed = nn.Linear(channels, classes)
        self.bbox_embed = nn.Sequential(
            nn.Linear(channels, channels), nn.ReLU(), nn.Linear(channels, 4)
        )
        self.box_scale = box_scale

    def forward(self, features, return_features=False):
        h = self.trunk(features)
        out = {
            "pred_logits": self.class_embed(h),
            "pred_boxes": self.bbox_embed(h).sigmoid() * self.box_scale,
        }
        if return_features:
            out["features"] = h
        return out


def get_inputs():
    return [torch.randn(4, 100, 128)]


def get_init_inputs():
    return []
