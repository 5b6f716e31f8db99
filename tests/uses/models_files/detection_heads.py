# Class and box heads start from the same features: their first layers are one product.
import torch
import torch.nn as nn


class ModelNew(nn.Module):
    def __init__(self, channels=128, classes=21, box_scale=1.0):
        super().__init__()
        self.trunk = nn.Sequential(nn.Linear(channels, channels), nn.ReLU())
        self.class_embed = nn.Linear(channels, classes)
        self.bbox_embed = nn.Sequential(
            nn.Linear(channels, channels), nn.ReLU(), nn.Linear(channels, 4)
        )
        self.classes, self.box_scale = classes, box_scale
        self.register_buffer("packed", torch.empty(classes + channels, channels), persistent=False)
        self.seen = None

    def forward(self, features, return_features=False):
        b, n, c = features.shape
        logits_layer, box_layer = self.class_embed, self.bbox_embed[0]
        seen = [(w.data_ptr(), w._version) for w in (logits_layer.weight, box_layer.weight)]
        if seen != self.seen:
            with torch.no_grad():
                torch.cat([logits_layer.weight, box_layer.weight], out=self.packed)
            self.seen = seen
        trunk = self.trunk[0]
        h = torch.addmm(trunk.bias, features.view(b * n, c), trunk.weight.t()).relu_()
        bias = torch.cat([logits_layer.bias, box_layer.bias])
        logits, hidden = torch.addmm(bias, h, self.packed.t()).split([self.classes, c], dim=1)
        last = self.bbox_embed[2]
        boxes = torch.addmm(last.bias, hidden.relu(), last.weight.t()).sigmoid_()
        return {
            "pred_logits": logits.contiguous().view(b, n, -1),
            "pred_boxes": boxes.mul_(self.box_scale).view(b, n, 4),
        }
