import torch
import torch.nn.functional as F
from torch import nn


class Model(nn.Module):
    """CLIP's head: cosine similarities times a learned temperature."""

    def __init__(self, width, embed_dim, init_logit_scale=2.6592):
        super().__init__()
        self.image_proj = nn.Linear(width, embed_dim, bias=False)
        self.text_proj = nn.Linear(width, embed_dim, bias=False)
        self.logit_scale = nn.Parameter(torch.tensor(init_logit_scale))

    def forward(self, image, text, normalize: bool = True):
        image, text = self.image_proj(image), self.text_proj(text)
        if normalize:
            image = F.normalize(image, dim=-1)
            text = F.normalize(text, dim=-1)
        logits = self.logit_scale.exp() * image @ text.t()
        return logits, logits.t()


def get_inputs():
    return [torch.randn(96, 128), torch.randn(64, 128), True]


def get_init_inputs():
    return [128, 96]
