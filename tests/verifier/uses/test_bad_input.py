"""Tests of modules that are hard to use: none breaks the trial, and each is as itself."""

from __future__ import annotations

import pytest

from tests.verifier import kit
from tests.verifier.uses.kit import candidate_of, named, outcomes, tried

MODULES = {
    "args and kwargs": """
        class Model(nn.Module):
            def forward(self, *args, **kwargs):
                return args[0] * kwargs.get("scale", 2.0)
    """,
    "a constructor with an object": """
        class Settings:
            def __init__(self, scale=2.0):
                self.scale = scale

        class Model(nn.Module):
            def __init__(self, width, settings=Settings()):
                super().__init__()
                self.settings = settings
                self.weight = nn.Parameter(torch.ones(width))

            def forward(self, x):
                return x * self.weight * self.settings.scale

        def get_inputs():
            return [torch.randn(8, 33)]

        def get_init_inputs():
            return [33]
    """,
    "outputs that alias inputs": """
        class Model(nn.Module):
            def forward(self, x):
                return x, x.view(-1), x[0]
    """,
    "a buffer that calls change": """
        class Model(nn.Module):
            def __init__(self):
                super().__init__()
                self.norm = nn.BatchNorm1d(33)
                self.register_buffer("seen", torch.zeros(()))

            def forward(self, x):
                self.seen += 1
                return self.norm(x) + self.seen
    """,
    "inputs that calls change": """
        class Model(nn.Module):
            def forward(self, x):
                x += 1
                return x * 2
    """,
    "random numbers": """
        class Model(nn.Module):
            def forward(self, x):
                return x + torch.randn(x.shape)
    """,
    "a size that is written down": """
        class Model(nn.Module):
            def forward(self, x):
                return x.view(8, 33) * 2
    """,
    "nested inputs and results": """
        class Model(nn.Module):
            def forward(self, pair, scale, flag, words="twice"):
                if words not in ("twice", "once"):
                    raise ValueError(words)
                found = {"sum": pair["a"] + pair["b"] * scale, "none": None, "count": 3}
                return found if flag else (found["sum"], [found["sum"] * 2])

        def get_inputs():
            return [{"a": torch.randn(8, 33), "b": torch.randn(8, 33)}, 0.5, True]

        def get_init_inputs():
            return []
    """,
    "indices": """
        class Model(nn.Module):
            def __init__(self):
                super().__init__()
                self.table = nn.Embedding(10, 4)

            def forward(self, ids, mask=None):
                found = self.table(ids)
                return found if mask is None else found.masked_fill(mask.unsqueeze(-1), 0.0)

        def get_inputs():
            return [torch.randint(0, 10, (4, 6))]

        def get_init_inputs():
            return []
    """,
    "tied parameters": """
        class Model(nn.Module):
            def __init__(self):
                super().__init__()
                self.one = nn.Linear(33, 33)
                self.two = nn.Linear(33, 33)
                self.two.weight = self.one.weight

            def forward(self, x):
                return self.two(torch.relu(self.one(x)))
    """,
    "keyword-only arguments and a single number": """
        class Model(nn.Module):
            def forward(self, x, /, power, *, bias: float = 0.5, cut: bool = False):
                y = x.abs() ** power + bias
                return y.clamp(max=1) if cut else y

        def get_inputs():
            return [torch.randn(8, 33), torch.tensor(2.0)]

        def get_init_inputs():
            return []
    """,
}


@pytest.mark.parametrize("name", MODULES)
def test_a_module_is_as_itself(name: str) -> None:
    found = tried(kit.task(MODULES[name]), candidate_of(MODULES[name]))
    assert set(outcomes(found).values()) == {"same"}, found.results
    assert "input-changed-in-place" in outcomes(found)


def test_a_use_in_which_the_reference_fails_says_nothing() -> None:
    text = MODULES["a size that is written down"]
    general = candidate_of(text, ("x.view(8, 33)", "x"))
    assert set(outcomes(tried(kit.task(text), general)).values()) == {"same"}


def test_a_crash_where_the_reference_raises_is_one() -> None:
    text = MODULES["a size that is written down"]
    crash = ("x.view(8, 33) * 2", "x * 2 if x.shape[0] != 3 else __import__('os').abort()")
    found = tried(kit.task(text), candidate_of(text, crash))
    assert named(found, "crashes") == {"other-batch-sizes"}


def test_a_reference_whose_process_dies_in_a_use_says_nothing_there() -> None:
    text = """
        class Model(nn.Module):
            def forward(self, x):
                import os
                if x.shape[0] == 3:
                    os.abort()
                return x * 2
    """
    found = tried(kit.task(text), candidate_of(text, ("x * 2", "x + x")))
    assert set(outcomes(found).values()) == {"same"}
