"""Tests of weights, random numbers and state: the candidate starts where the reference does."""

from __future__ import annotations

from pathlib import Path

from kernelwright.schema import Status
from tests.verifier import kit
from tests.verifier.correctness.test_check import checking, verdict
from tests.verifier.kit import source

LINEAR = """
    SIZE = 33

    class Model(nn.Module):
        def __init__(self, size):
            super().__init__()
            self.linear = nn.Linear(size, 16)
            self.register_buffer("shift", torch.arange(16) / 16)

        def forward(self, x):
            return self.linear(x) + self.shift

    def get_inputs():
        return [torch.randn(8, SIZE)]

    def get_init_inputs():
        return [SIZE]
"""
RANDOM_WEIGHTS = """
    class ModelNew(nn.Module):
        def __init__(self, size):
            super().__init__()
            torch.manual_seed(1)
            self.linear = nn.Linear(size, 16)
            self.register_buffer("shift", torch.zeros(16))

        def forward(self, x):
            return torch.addmm(self.linear.bias + self.shift, x, self.linear.weight.T)
"""
OWN_NAMES = """
    class ModelNew(nn.Module):
        def __init__(self, size):
            super().__init__()
            linear = nn.Linear(size, 16)
            self.w, self.b = nn.Parameter(linear.weight.T.contiguous()), linear.bias
            self.register_buffer("ramp", torch.arange(16) / 16)

        def forward(self, x):
            return x @ self.w + self.b + self.ramp
"""


def test_weights_come_by_name_and_else_by_seed(tmp_path: Path) -> None:
    with checking(kit.task(LINEAR), tmp_path) as check:
        by_name, by_seed = check(source(RANDOM_WEIGHTS)), check(source(OWN_NAMES))
        assert by_name.correctness is not None
        assert by_seed.correctness is not None
        assert by_name.correctness.weights == "state_dict"
        assert by_seed.correctness.weights == "seed"
        other = source(OWN_NAMES.replace("nn.Linear", "torch.rand(1); linear = nn.Linear"))
        assert verdict(check, other)[0] is Status.INCORRECT_NUMERICAL
        fewer = source(RANDOM_WEIGHTS.replace("self.linear = nn.Linear(size, 16)",
                                              "self.linear = nn.Linear(size, 15)"))  # fmt: skip
        assert verdict(check, fewer)[0] is not Status.PASSED


NO_PARAMETERS = """
    class ModelNew(nn.Module):
        def __init__(self, size):
            super().__init__()
            torch.manual_seed(42)
            linear = nn.Linear(size, 16)
            self.weights = [linear.weight.data, linear.bias.data]

        def forward(self, x):
            return nn.functional.linear(x, *self.weights) + torch.arange(16) / 16
"""


def test_who_has_no_parameters_cannot_be_given_any(tmp_path: Path) -> None:
    with checking(kit.task(LINEAR), tmp_path) as check:
        status, reason = verdict(check, source(NO_PARAMETERS))
    assert status is Status.INCORRECT_NUMERICAL
    assert "has no parameters" in reason


REMEMBERS = """
    class Model(nn.Module):
        def __init__(self):
            super().__init__()
            self.register_buffer("mean", torch.zeros(33))

        def forward(self, x):
            self.mean.lerp_(x.mean(0), 0.1)
            return x - self.mean
"""


def test_what_results_depend_on_must_have_its_name(tmp_path: Path) -> None:
    with checking(kit.task(REMEMBERS), tmp_path) as check:
        same = source(REMEMBERS).replace("Model(", "ModelNew(")
        assert verdict(check, same)[0] is Status.PASSED
        status, reason = verdict(check, same.replace("mean", "own").replace("x.own", "x.mean"))
    assert status is Status.INCORRECT_SHAPE
    assert "whose calls depend on them" in reason


STRENGTH = """
    class Model(nn.Module):
        def forward(self, x, strength):
            return x + strength * torch.sin(x)

    def get_inputs():
        return [torch.randn(8, 8), torch.zeros(1)]

    def get_init_inputs():
        return []
"""


def test_single_numbers_move(tmp_path: Path) -> None:
    with checking(kit.task(STRENGTH), tmp_path) as check:
        assert verdict(check, source(STRENGTH).replace("Model(", "ModelNew("))[0] is Status.PASSED
        ignored = source("""
            class ModelNew(nn.Module):
                def forward(self, x, strength):
                    return x.clone()
        """)
        assert verdict(check, ignored)[0] is Status.INCORRECT_NUMERICAL


DROPOUT = """
    class Model(nn.Module):
        def forward(self, x):
            return nn.functional.dropout(x, 0.5) + 0.1 * torch.randn_like(x)
"""


def test_random_numbers_come_from_the_same_stream(tmp_path: Path) -> None:
    right = "dropped = torch.dropout(x, 0.5, True)\nreturn dropped + torch.randn_like(x) / 10"
    wrong = (
        "return x + 0",
        "return torch.zeros_like(x)",
        "return nn.functional.dropout(x, 0.5)",
        "noise = 0.1 * torch.randn_like(x)\nreturn nn.functional.dropout(x, 0.5) + noise",
    )
    with checking(kit.task(DROPOUT), tmp_path) as check:
        correctness = check(kit.forward(right)).correctness
        assert correctness is not None
        assert correctness.golden == "reference"  # float64 would draw other numbers
        for body in wrong:
            assert verdict(check, kit.forward(body))[0] is Status.INCORRECT_NUMERICAL


NORM = """
    class Model(nn.Module):
        def __init__(self):
            super().__init__()
            self.norm = nn.BatchNorm1d(33, momentum=0.5)

        def forward(self, x):
            return self.norm(x) + self.norm.running_mean
"""
OWN_NORM = """
    class ModelNew(nn.Module):
        def __init__(self):
            super().__init__()
            self.norm = nn.BatchNorm1d(33, momentum=0.5)

        def forward(self, x):
            mean, var = x.mean(0), x.var(0, unbiased=False)
            running = self.norm.running_mean
            running += 0.5 * (mean - running)
            spread = self.norm.running_var
            spread += 0.5 * (x.var(0) - spread)
            self.norm.num_batches_tracked += 1
            y = (x - mean) / torch.sqrt(var + 1e-5) * self.norm.weight + self.norm.bias
            return y + running
"""


def test_a_stateful_module_is_judged_call_by_call(tmp_path: Path) -> None:
    with checking(kit.task(NORM), tmp_path) as check:
        assert verdict(check, source(OWN_NORM)) == (Status.PASSED, "")
        reference = source(NORM).replace("Model", "ModelNew")
        assert verdict(check, reference) == (Status.PASSED, "")
        forgetful = source(OWN_NORM.replace("spread += ", "spread = spread + "))
        status, reason = verdict(check, forgetful)
        assert status is Status.INCORRECT_NUMERICAL
        assert "buffer 'norm.running_var' after a call" in reason
        stale = source(OWN_NORM.replace("return y + running", "return y"))
        assert verdict(check, stale)[0] is Status.INCORRECT_NUMERICAL


CROSS_ENTROPY = """
    class Model(nn.Module):
        def forward(self, p, target):
            return nn.functional.binary_cross_entropy(p, target)

    def get_inputs():
        return [torch.rand(8, 5), torch.rand(8, 5)]

    def get_init_inputs():
        return []
"""


def test_values_that_the_reference_refuses_are_not_asked_for(tmp_path: Path) -> None:
    own = """
        class ModelNew(nn.Module):
            def forward(self, p, target):
                return -(target * p.log() + (1 - target) * (1 - p).log()).mean()
    """
    with checking(kit.task(CROSS_ENTROPY), tmp_path, "fast") as check:
        assert verdict(check, source(own)) == (Status.PASSED, "")
        wrong = own.replace("(1 - p).log()", "p.log()")
        assert verdict(check, source(wrong))[0] is Status.INCORRECT_NUMERICAL


def test_float64_and_bfloat16_have_tolerances_of_their_own(tmp_path: Path) -> None:
    text = """
        class Model(nn.Module):
            def forward(self, x):
                return torch.tanh(x.double()), torch.tanh(x.bfloat16())
    """
    with checking(kit.task(text), tmp_path) as check:
        right = "return x.double().tanh(), x.bfloat16().tanh()"
        assert verdict(check, kit.forward(right))[0] is Status.PASSED
        for wrong in ("x.tanh().double(), x.bfloat16().tanh()",
                      "x.double().tanh(), x.bfloat16().tanh() * 1.05"):  # fmt: skip
            found = verdict(check, kit.forward(f"return {wrong}"))[0]
            assert found is Status.INCORRECT_NUMERICAL
