import torch.nn as nn


class ModelNew(nn.Module):
    def __init__(self, channels=128, classes=21, box_scale=1.0):
        super().__init__()
        self.trunk = nn.Sequential(nn.Linear(channels, channels), nn.ReLU())
        self.class_embed = nn.Linear(channels, classes)
        self.bbox_embed = nn.Sequential(
            nn.Linear(channels, channels), nn.ReLU(), nn.Linear(channels, 4)
        )
        self.box_scale = box_scale
        self.layers = (self.trunk[0], self.class_embed, self.bbox_embed[0], self.bbox_embed[2])

    def forward(self, features, return_features=False):
        trunk, classes, hidden, boxes = self.layers
        h = trunk(features).relu_()
        out = {
            "pred_logits": classes(h),
            "pred_boxes": boxes(hidden(h).relu_()).sigmoid_().mul_(self.box_scale),
        }
        if return_features:
            out["features"] = h
        return out
