"""Tests of the guarded file: it gives the reference's values however it is called."""

from __future__ import annotations

import copy
import os
import pickle
import threading
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import torch
from torch import nn
from torch.nn.utils import parametrize

from kernelwright.delivery.scope import Family, Scope
from kernelwright.delivery.splice import splice
from tests.delivery.kit import (
    FORWARD,
    OWN_CONSTRUCTOR,
    REFERENCE,
    SAME_CONSTRUCTOR,
    guarded,
    loaded,
)


class Pair(NamedTuple):
    """A guarded module and its reference with the same weights."""

    file: Any
    model: Any
    reference: Any

    def both(self, change: Callable[[Any], object]) -> None:
        """Do something to both modules."""
        with torch.no_grad():
            change(self.model)
            change(self.reference)

    def fast(self, *args: Any, **kwargs: Any) -> bool:
        """Call both, compare, and return whether the fast path ran."""
        self.file.CALLS.clear()
        before = self.file.ModelNew.fallbacks.total()
        own, wanted = self.model(*args, **kwargs), self.reference(*args, **kwargs)
        torch.testing.assert_close(own, wanted, equal_nan=True)
        was_fast = bool(self.file.CALLS)
        assert was_fast != (self.file.ModelNew.fallbacks.total() > before)
        return was_fast


@pytest.fixture(params=["same constructor", "own constructor"])
def pair(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Pair]:
    candidate = SAME_CONSTRUCTOR if request.param == "same constructor" else OWN_CONSTRUCTOR
    file = loaded(guarded(candidate), tmp_path)
    torch.manual_seed(0)
    model, reference = file.ModelNew(8), file.Model(8)
    reference.load_state_dict(model.state_dict())
    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield Pair(file, model, reference)


X = torch.randn(4, 8, generator=torch.Generator().manual_seed(1))


def test_inside_the_scope_the_fast_path_runs(pair: Pair) -> None:
    assert pair.fast(X, 0.5)
    assert pair.fast(X, 0.75), "a float in between is inside"
    assert pair.fast(X, scale=0.5) and pair.fast(x=X, scale=0.5)
    assert pair.fast(X), "the default is a float as well"
    assert pair.fast(X, 0.5, None) and pair.fast(X, residual=None)
    assert pair.fast(X[:1], 0.5) and pair.fast(X.repeat(4, 1), 0.5)
    with torch.inference_mode():
        assert pair.fast(X, 0.5)


@pytest.mark.parametrize(
    "args",
    [
        (X, 0.5, X),
        (X, 0.5, X[:1]),
        (X[0], 0.5, torch.ones(3, 8)),
        (X, 1),
        (X, True),
        (X, float("inf")),
        (X.repeat(5, 1), 0.5),
        (X.new_empty(0, 8), 0.5),
        (X.repeat(2, 1).t().contiguous().t(), 0.5),
        (X.expand(2, 4, 8), 0.5),
        (X[:1].expand(4, 8), 0.5),
        (X[0], 0.5),
        (nn.Parameter(X), 0.5),
    ],
)
def test_outside_the_original_forward_runs(pair: Pair, args: tuple[Any, ...]) -> None:
    assert not pair.fast(*args)
    assert pair.fast(X, 0.5)


@pytest.mark.parametrize("x", [X.double(), X.half(), torch.randn(4, 7), X.long()])
def test_what_the_reference_refuses_is_refused(pair: Pair, x: torch.Tensor) -> None:
    pair.fast(X, 0.5)
    with pytest.raises(RuntimeError) as wanted:
        pair.reference(x, 0.5)
    with pytest.raises(RuntimeError) as found:
        pair.model(x, 0.5)
    assert str(found.value) == str(wanted.value)
    with pytest.raises(TypeError):
        pair.model(X, 0.5, None, 3)
    with pytest.raises(TypeError):
        pair.model(X, scales=0.5)


def test_changed_weights_are_followed(pair: Pair) -> None:
    assert pair.fast(X, 0.5)
    torch.manual_seed(3)
    state = {name: torch.randn_like(value) for name, value in pair.model.state_dict().items()}
    pair.both(lambda m: m.load_state_dict(state))
    assert pair.fast(X, 0.5)
    pair.both(lambda m: m.block.linear.weight.mul_(2))
    assert pair.fast(X, 0.5)
    weight = torch.randn(8, 8)
    pair.both(lambda m: setattr(m.block.linear, "weight", nn.Parameter(weight.clone())))
    assert pair.fast(X, 0.5)
    pair.both(lambda m: m.offset.add_(1))
    assert pair.fast(X, 0.5)
    pair.both(lambda m: m.load_state_dict(state, assign=True))
    assert pair.fast(X, 0.5)


@pytest.mark.parametrize(
    "change",
    [
        lambda m: m.double(),
        lambda m: setattr(m, "act", "tanh"),
        lambda m: setattr(m.block, "eps", 1.0),
        lambda m: setattr(m.block, "linear", nn.Linear(8, 8, dtype=torch.float64)),
        lambda m: setattr(m.block, "linear", nn.Identity()),
        lambda m: m.block.register_forward_hook(lambda *a: a[2] * 2),
        lambda m: m.block.linear.register_forward_pre_hook(lambda m, a: (a[0] * 2,)),
        lambda m: parametrize.register_parametrization(m.block.linear, "weight", Doubled()),
        lambda m: setattr(m.block.linear, "bias", None),
        lambda m: setattr(m, "gain", nn.Parameter(torch.ones(1))),
    ],
)
def test_a_changed_module_runs_its_own_forward(pair: Pair, change: Callable[[Any], object]) -> None:
    assert pair.fast(X, 0.5)
    pair.both(change)
    x = X.double() if pair.reference.gain.dtype is torch.float64 else X
    if getattr(pair.reference.block.linear, "weight", X).dtype is not x.dtype:
        return  # the reference itself can't run like this
    assert not pair.fast(x, 0.5)


class Doubled(nn.Module):
    """A parametrization."""

    def forward(self, weight: torch.Tensor) -> torch.Tensor:
        """Return twice the weight."""
        return weight * 2


def test_hooks_on_the_module_itself_are_called(pair: Pair) -> None:
    pair.both(lambda m: m.register_forward_hook(lambda *a: a[2] + 1))
    assert pair.fast(X, 0.5)


def test_constructor_arguments_outside_the_scope(pair: Pair) -> None:
    for args in ((8, "tanh"), (4,)):
        model, reference = pair.file.ModelNew(*args), pair.file.Model(*args)
        reference.load_state_dict(model.state_dict())
        assert not Pair(pair.file, model, reference).fast(torch.randn(4, args[0]), 0.5)
    model = pair.file.ModelNew(width=8, act="relu")
    pair.reference.load_state_dict(model.state_dict())
    assert Pair(pair.file, model, pair.reference).fast(X, 0.5)


def test_gradients_are_the_originals(pair: Pair) -> None:
    with torch.enable_grad():
        assert not pair.fast(X, 0.5)
        for model in (pair.model, pair.reference):
            model(X, 0.5).sum().backward()
        torch.testing.assert_close(pair.model.gain.grad, pair.reference.gain.grad)
        pair.both(lambda m: m.requires_grad_(False))
        assert pair.fast(X, 0.5)
        assert not pair.fast(X.clone().requires_grad_(), 0.5)


def test_autocast_is_the_originals(pair: Pair) -> None:
    assert pair.fast(X, 0.5)
    with torch.autocast("cpu", torch.bfloat16):
        assert not pair.fast(X, 0.5)


def test_copies_have_their_own_weights(pair: Pair) -> None:
    assert pair.fast(X, 0.5)
    for again in (copy.deepcopy(pair.model), pickle.loads(pickle.dumps(pair.model))):
        pair.model.gain.add_(1)
        reference = pair.file.Model(8)
        reference.load_state_dict(again.state_dict())
        assert Pair(pair.file, again, reference).fast(X, 0.5)
    assert list(pair.model.state_dict()) == list(pair.reference.state_dict())


def test_functional_call_has_the_given_weights(pair: Pair) -> None:
    weights = {name: torch.randn_like(p) for name, p in pair.model.named_parameters()}
    own, wanted = (torch.func.functional_call(m, weights, (X, 0.5)) for m in pair[1:])
    torch.testing.assert_close(own, wanted)
    assert pair.fast(X, 0.5)


def test_transforms_see_the_original(pair: Pair) -> None:
    pair.fast(X, 0.5)
    for model in (pair.model, pair.reference):
        model.requires_grad_(False)
    tangent = torch.randn_like(X)
    own, wanted = (torch.func.jvp(lambda x, m=m: m(x, 0.5), (X,), (tangent,)) for m in pair[1:])
    torch.testing.assert_close(own, wanted)
    stack = torch.randn(3, 4, 8)
    own, wanted = (torch.func.vmap(lambda x, m=m: m(x, 0.5))(stack) for m in pair[1:])
    torch.testing.assert_close(own, wanted)
    jit: Any = torch.jit
    torch.testing.assert_close(jit.trace(pair.model, (X,))(X + 1), pair.reference(X + 1))
    compiled: Any = torch.compile(pair.model, backend="eager", fullgraph=True)
    torch.testing.assert_close(compiled(X, 0.5), pair.reference(X, 0.5))


def test_four_threads_at_once(pair: Pair) -> None:
    wrong: list[int] = []

    def work(number: int) -> None:
        with torch.no_grad():
            x = X + number
            for _ in range(50):
                if not torch.allclose(pair.model(x, 0.5), pair.reference(x, 0.5), atol=1e-5):
                    wrong.append(number)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_a_forked_process_runs_the_original(pair: Pair) -> None:
    assert pair.fast(X, 0.5)
    child = os.fork()
    if child == 0:
        torch.set_num_threads(1)
        os._exit(3 if pair.fast(X, 0.5) else 5)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 5
    assert pair.fast(X, 0.5)


def test_each_reason_warns_once(tmp_path: Path) -> None:
    file = loaded(guarded(), tmp_path)
    model = file.ModelNew(8)
    with torch.no_grad(), warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        for _ in range(3):
            model(X.repeat(8, 1), 0.5)
            model(X, 0.5, X)
    assert len(caught) == 2 and all(w.filename == __file__ for w in caught)
    assert "the size n is not from 1 to 16; called with (float32[32, 8], 0.5)" in str(
        caught[0].message
    )
    assert sorted(file.ModelNew.fallbacks.values()) == [3, 3]


@pytest.mark.parametrize(
    ("line", "where"),
    [("import no_such_module", "at import"), ("raise OSError('no compiler')", "at import")],
)
def test_where_the_fast_path_is_not_built_the_original_runs(
    line: str, where: str, tmp_path: Path
) -> None:
    file = loaded(guarded(SAME_CONSTRUCTOR.replace("CALLS = []", f"CALLS = []\n{line}")), tmp_path)
    model = file.ModelNew(8)
    with torch.no_grad(), pytest.warns(RuntimeWarning, match="there is no fast path here"):
        torch.testing.assert_close(model(X, 0.5), file.Model.forward(model, X, 0.5))
    assert file.ModelNew.fallbacks.total() == 1, where


def test_a_fast_path_that_fails_at_its_first_call_is_given_up(tmp_path: Path) -> None:
    broken = SAME_CONSTRUCTOR.replace("CALLS.append(1)", "raise RuntimeError('no such device')")
    file = loaded(guarded(broken), tmp_path)
    model = file.ModelNew(8)
    with torch.no_grad(), pytest.warns(RuntimeWarning, match="no such device"):
        for _ in range(2):
            torch.testing.assert_close(model(X, 0.5), file.Model.forward(model, X, 0.5))
    assert file.ModelNew.fallbacks.total() == 2


def test_other_parameter_names_have_no_fast_path(tmp_path: Path) -> None:
    other = OWN_CONSTRUCTOR.replace("self.gain", "self.gains")
    file = loaded(guarded(other), tmp_path)
    model = file.ModelNew(8)
    with torch.no_grad(), pytest.warns(RuntimeWarning, match="other parameters .*gains"):
        torch.testing.assert_close(model(X, 0.5), file.Model.forward(model, X, 0.5))


def test_a_stale_cache_goes_with_refresh(tmp_path: Path) -> None:
    caching = SAME_CONSTRUCTOR.replace(
        "        linear = self.block.linear\n",
        "        if not hasattr(self, 'kept'):\n"
        "            self.kept = self.gain.detach().clone()\n"
        "        linear = self.block.linear\n",
    ).replace("y * self.gain", "y * self.kept")
    assert caching.count("kept") == 3
    file = loaded(guarded(caching), tmp_path)
    model = file.ModelNew(8)
    with torch.no_grad():
        model(X, 0.5)
        model.gain.data.fill_(3)
        assert not hasattr(model, "kept"), "what the fast path keeps is not the module's"
        model.refresh()
        torch.testing.assert_close(model(X, 0.5), file.Model.forward(model, X, 0.5))
        assert len(file.CALLS) == 2


KEEPING = SAME_CONSTRUCTOR.replace(
    "        linear = self.block.linear\n",
    "        if not hasattr(self, 'kept'):\n"
    "            self.kept = self.gain.detach().clone()\n"
    "        linear = self.block.linear\n",
).replace("y * self.gain", "y * self.kept")


def _replaced(model: Any) -> None:
    model.gain = None
    model.gain = nn.Parameter(torch.rand(8))


def _stepped(model: Any) -> None:
    with torch.enable_grad():
        optimizer = torch.optim.Adam(model.parameters(), lr=0.1, fused=True)
        torch.nn.Module.__call__(model, X, 0.5).sum().backward()
        optimizer.step()


@pytest.mark.parametrize("change", [_replaced, _stepped])
def test_what_a_fast_path_keeps_goes_with_the_parameters(tmp_path: Path, change: Any) -> None:
    file = loaded(guarded(KEEPING), tmp_path)
    model = file.ModelNew(8)
    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for _ in range(4):
            file.CALLS.clear()
            torch.testing.assert_close(model(X, 0.5), file.Model.forward(model, X, 0.5))
            assert file.CALLS, "the fast path ran"
            change(model)


def test_other_weights_at_every_call(tmp_path: Path) -> None:
    file = loaded(guarded(KEEPING), tmp_path)
    model, reference = file.ModelNew(8), file.Model(8)
    for seed in range(5):
        torch.manual_seed(seed)
        weights = {name: torch.randn_like(p) for name, p in model.state_dict().items()}
        with torch.no_grad():
            own, wanted = (
                torch.func.functional_call(m, weights, (X, 0.5)) for m in (model, reference)
            )
        torch.testing.assert_close(own, wanted)


class Wrapped(torch.Tensor):
    """A tensor of another class, as quantized weights are."""


def _twice(forward: Callable[..., Any]) -> Callable[..., Any]:
    return lambda *args, **kwargs: 2 * forward(*args, **kwargs)


def _set(module: Any, name: str, value: Any) -> None:
    setattr(module, name, value)


class TwiceLinear(nn.Linear):
    """A class of a user's, which gets the name of torch's."""

    def forward(self, input: torch.Tensor) -> torch.Tensor:
        return 2 * super().forward(input)


TwiceLinear.__name__ = TwiceLinear.__qualname__ = "Linear"


def _of_the_same_name(module: Any) -> None:
    own = TwiceLinear(8, 8)
    own.load_state_dict(module.block.linear.state_dict())
    module.block.linear = own


@pytest.mark.parametrize(
    "change",
    [
        lambda m: _set(m.block, "forward", _twice(m.block.forward)),
        lambda m: _set(m.block.linear, "forward", _twice(m.block.linear.forward)),
        lambda m: _set(m, "gain", nn.Parameter(torch.rand(8).as_subclass(Wrapped))),
        lambda m: _set(m.block.linear, "bias", None),
        _of_the_same_name,
        lambda m: _set(m.block.linear, "__class__", TwiceLinear),
    ],
    ids=range(6),
)
@pytest.mark.parametrize("is_late", [False, True])
def test_what_replaces_the_modules_code_is_run(pair: Pair, change: Any, is_late: bool) -> None:
    if is_late:
        assert pair.fast(X, 0.5)
    change(pair.model)
    change(pair.reference)
    if isinstance(pair.model.gain, Wrapped):
        pair.reference.gain.data.copy_(pair.model.gain.data)
    assert not pair.fast(X, 0.5)
    assert not pair.fast(X, 0.5)


def test_weights_of_inference_mode_are_the_originals(pair: Pair) -> None:
    assert pair.fast(X, 0.5)
    with torch.inference_mode():
        gain = torch.rand(8)
    pair.both(lambda m: _set(m, "gain", nn.Parameter(gain, requires_grad=False)))
    assert not pair.fast(X, 0.5)


def test_a_subclass_may_replace_what_the_class_defines(tmp_path: Path) -> None:
    reference = REFERENCE.replace(
        "class Model(nn.Module):", "class Model(nn.Module):\n    POWER = 1"
    )
    reference = reference.replace("* scale +", "* scale**self.POWER +")
    file = loaded(guarded(SAME_CONSTRUCTOR, reference), tmp_path)
    squared = type("Squared", (file.ModelNew,), {"POWER": 2})
    wanted = type("Wanted", (file.Model,), {"POWER": 2})(8)
    for model in (squared(8), file.ModelNew(8)):
        model.POWER = 2
        wanted.load_state_dict(model.state_dict())
        with torch.no_grad(), pytest.warns(RuntimeWarning, match="replaces"):
            torch.testing.assert_close(model(X, 0.5), wanted(X, 0.5))
        file.ModelNew.fallbacks.clear()


def test_a_parameter_that_was_none_is_seen(tmp_path: Path) -> None:
    reference = REFERENCE.replace(
        "        self.act = act\n",
        "        self.act = act\n        self.register_parameter('shift', None)\n",
    ).replace(
        "        return y if",
        "        y = y if self.shift is None else y + self.shift\n        return y if",
    )
    candidate = reference.partition("    def forward(self, x, scale")[0]
    candidate = candidate.replace("class Model(", "CALLS = []\n\n\nclass ModelNew(") + FORWARD
    file = loaded(guarded(candidate, reference), tmp_path)
    model = file.ModelNew(8)
    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model(X, 0.5)
        assert file.CALLS
        model.shift = nn.Parameter(torch.rand(8))
        torch.testing.assert_close(model(X, 0.5), file.Model.forward(model, X, 0.5))
        again = file.ModelNew(8)
        again.shift = nn.Parameter(torch.rand(8))
        torch.testing.assert_close(again(X, 0.5), file.Model.forward(again, X, 0.5))


def test_settings_of_torch_are_seen(pair: Pair) -> None:
    from torch._subclasses.fake_tensor import FakeTensorMode

    assert pair.fast(X, 0.5)
    with torch.device("cpu"):
        assert not pair.fast(X, 0.5)
    torch.set_default_dtype(torch.float64)
    try:
        assert not pair.fast(X, 0.5)
    finally:
        torch.set_default_dtype(torch.float32)
    with FakeTensorMode(allow_non_fake_inputs=True):
        assert pair.model(X, 0.5).shape == X.shape
    assert pair.fast(X, 0.5)


@pytest.mark.parametrize(
    "x", [X.to_sparse(), torch.nested.nested_tensor([X[0], X[1]]), X.as_subclass(Wrapped)]
)
def test_other_kinds_of_tensors_are_left_to_the_reference(pair: Pair, x: torch.Tensor) -> None:
    def outcome(model: Any) -> str:
        with torch.inference_mode():
            try:
                return str(type(model(x, 0.5)))
            except (RuntimeError, NotImplementedError, TypeError) as error:
                return f"{type(error)}: {error}"

    pair.fast(X, 0.5)
    assert outcome(pair.model) == outcome(pair.reference)


def test_a_fast_path_that_fails_after_writing_to_buffers_leaves_none_of_it(tmp_path: Path) -> None:
    candidate = SAME_CONSTRUCTOR.replace(
        "CALLS.append(1)", "self.offset.add_(1)\n        raise OSError('no compiler')"
    )
    file = loaded(guarded(candidate), tmp_path)
    model = file.ModelNew(8)
    with torch.no_grad(), pytest.warns(RuntimeWarning, match="no compiler"):
        model(X, 0.5)
    assert torch.equal(model.offset, torch.zeros(8))


def test_the_files_own_names_survive(tmp_path: Path) -> None:
    """Helpers of one name in both texts stay apart, and the reference's constants stay its own."""
    reference = REFERENCE.replace("def norm(x, eps):", "SHIFT = 1.0\n\n\ndef norm(x, eps):")
    reference = reference.replace("+ self.offset", "+ self.offset + SHIFT")
    candidate = OWN_CONSTRUCTOR.replace("CALLS = []", "CALLS = []\nSHIFT = 1")
    candidate = candidate.replace("+ self.offset", "+ self.offset + SHIFT")
    file = loaded(guarded(candidate, reference), tmp_path)
    assert file.SHIFT == 1.0 and isinstance(file.SHIFT, float)
    model = file.ModelNew(8)
    with torch.no_grad():
        torch.testing.assert_close(model(X, 0.5), file.Model.forward(model, X, 0.5))
    assert file.CALLS


IN_ORDER = """
import torch
from torch import nn


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.steps = nn.ModuleDict({"up": nn.Softplus(), "down": nn.Tanh()})

    def forward(self, x):
        for step in self.steps.values():
            x = step(x)
        return x
"""
STEPS = Scope(
    device="cpu",
    families=(
        Family(
            constructor=[],
            names=["x"],
            arguments=[{"tensor": ["float32", [4], [0]]}],
            modules={
                "steps": "torch.nn.modules.container.ModuleDict",
                "steps.up": "torch.nn.modules.activation.Softplus",
                "steps.down": "torch.nn.modules.activation.Tanh",
            },
        ),
    ),
)


@pytest.mark.parametrize("is_late", [False, True])
def test_the_order_of_submodules_counts(tmp_path: Path, is_late: bool) -> None:
    fast = IN_ORDER.replace("class Model(", "class ModelNew(").replace(
        "x = step(x)", "x = step(x) * 1"
    )
    file = loaded(splice(IN_ORDER, fast, STEPS, "Steps."), tmp_path)
    model, x = file.ModelNew(), torch.randn(4)
    with torch.inference_mode():
        if is_late:
            model(x)
            assert not file.ModelNew.fallbacks
        up = model.steps.pop("up")
        model.steps["up"] = up
        assert torch.equal(model(x), nn.functional.softplus(torch.tanh(x)))
    assert sum(file.ModelNew.fallbacks.values()) == 1


ANY_NUMBER = """
import torch
from torch import nn


class Model(nn.Module):
    def forward(self, *terms, **options):
        return torch.relu(sum(terms)) if options.get("relu", True) else sum(terms)
"""
PLAIN = {"tensor": ["float32", [2, 4], [0, 1]]}
TERMS = Scope(
    device="cpu",
    families=(Family(constructor=[], names=["terms[0]"], arguments=[PLAIN] * 4),),
)


@pytest.mark.parametrize("place", range(4))
def test_each_of_any_number_of_arguments_is_compared(tmp_path: Path, place: int) -> None:
    fast = ANY_NUMBER.replace("class Model(", "class ModelNew(")
    fast = fast.replace("sum(terms)", "terms[0] * 4")
    file = loaded(splice(ANY_NUMBER, fast, TERMS, "Terms."), tmp_path)
    model, terms = file.ModelNew(), [torch.ones(2, 4) for _ in range(4)]
    with torch.inference_mode():
        assert torch.equal(model(*terms), torch.full((2, 4), 4.0))
        assert not file.ModelNew.fallbacks
        terms[place] = torch.tensor([1.0, 2.0, 3.0, 4.0])
        assert torch.equal(model(*terms), terms[0] + terms[1] + terms[2] + terms[3])
    assert list(file.ModelNew.fallbacks) == [f"terms[{place}] is not float32[2, 4], contiguous"]
