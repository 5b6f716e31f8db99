import torch
from torch import nn


class ModelNew(nn.Module):
    def __init__(self, width, embed_dim, init_logit_scale=2.6592):
        super().__init__()
        self.image_proj = nn.Linear(width, embed_dim, bias=False)
        self.text_proj = nn.Linear(width, embed_dim, bias=False)
        self.logit_scale = nn.Parameter(torch.tensor(init_logit_scale))

    def forward(self, image, text, normalize=True):
        image = image @ self.image_proj.weight.t()
        text = text @ self.text_proj.weight.t()
        a = self.logit_scale.exp() / torch.linalg.vector_norm(image, dim=1).clamp_(min=1e-12)
        b = torch.linalg.vector_norm(text, dim=1).clamp_(min=1e-12).reciprocal_()
        logits = (image * a[:, None]) @ (text * b[:, None]).t()
        return logits, logits.t().contiguous()
