import torch
from torch import nn

VOCABULARY = 1000
LENGTH = 64
WIDTH = 128


class Model(nn.Module):
    """BERT's embeddings: tokens, positions and segments, normalised."""

    def __init__(self, vocab_size, width, max_length=512, type_vocab_size=2, pad_token_id=0):
        super().__init__()
        self.word_embeddings = nn.Embedding(vocab_size, width, padding_idx=pad_token_id)
        self.position_embeddings = nn.Embedding(max_length, width)
        self.token_type_embeddings = nn.Embedding(type_vocab_size, width)
        self.LayerNorm = nn.LayerNorm(width, eps=1e-12)
        self.dropout = nn.Dropout(0.1)
        ids = torch.arange(max_length).expand((1, -1))
        self.register_buffer("position_ids", ids, persistent=False)
        self.eval()

    def forward(self, input_ids, token_type_ids=None, position_ids=None):
        length = input_ids.shape[1]
        if token_type_ids is None:
            token_type_ids = torch.zeros_like(input_ids)
        if position_ids is None:
            position_ids = self.position_ids[:, :length]
        x = self.word_embeddings(input_ids) + self.token_type_embeddings(token_type_ids)
        x = x + self.position_embeddings(position_ids)
        return self.dropout(self.LayerNorm(x))


def get_inputs():
    return [torch.randint(0, VOCABULARY, (8, LENGTH)), torch.randint(0, 2, (8, LENGTH))]


def get_init_inputs():
    return [VOCABULARY, WIDTH]
