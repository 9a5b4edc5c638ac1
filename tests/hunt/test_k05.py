"""K5: the caller's model comes back untouched, whatever it changes of itself while it runs.

A zoo of small models is scored by every published proxy; whole state and output stay.
"""

import copy
import itertools
import random
from collections import deque
from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import eznas
from eznas.proxies.classics import CLASSICS
from tests.hunt.small import Small, score


class Merging(nn.Linear):
    """A low-rank adapter, merged into the weight in evaluation mode; in place or not."""

    def __init__(self, in_place: bool) -> None:
        super().__init__(6, 10)
        self.a, self.b = nn.Parameter(torch.ones(2, 6)), nn.Parameter(torch.ones(10, 2))
        self.in_place, self.merged = in_place, False

    def train(self, mode: bool = True) -> nn.Module:
        super().train(mode)
        if mode == self.merged:
            change = (-1 if mode else 1) * (self.b.data @ self.a.data)
            if self.in_place:
                self.weight.data += change
            else:
                self.weight.data = self.weight.data + change
            self.merged = not mode
        return self

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x) + (0 if self.merged else x @ self.a.T @ self.b.T)


class Adapted(Small):
    def __init__(self, in_place: bool) -> None:
        super().__init__()
        self.head = Merging(in_place)
        self.eval()


class Fused(Small):
    """Two branches in train mode, one convolution in evaluation mode, with other parameters."""

    def __init__(self) -> None:
        super().__init__()
        self.side = nn.Conv2d(6, 6, 1)
        self.eval()

    def train(self, mode: bool = True) -> nn.Module:
        if not mode and hasattr(self, "side"):
            with torch.no_grad():
                self.body.weight[:, :, 1:2, 1:2] += self.side.weight
                self.body.bias += self.side.bias
            del self.side
        elif mode and not hasattr(self, "side"):
            self.side = nn.Conv2d(6, 6, 1)
        return super().train(mode)

    def middle(self, x: Tensor) -> Tensor:
        y = super().middle(x)
        return y + self.side(x) if hasattr(self, "side") else y


class Frozen(Small):
    """As detection backbones do: its norms stay in evaluation mode, its stem without gradients."""

    def train(self, mode: bool = True) -> nn.Module:
        super().train(mode)
        self.norm.eval()
        for parameter in self.stem.parameters():
            parameter.requires_grad = False
        return self


class _Meter:
    __slots__ = ("total", "values")

    def __init__(self) -> None:
        self.values: list[float] = []
        self.total = 0.0


class Recording(Small):
    """Changes its attributes in place: containers, tensors, arrays, objects, generators."""

    shared: list[int] = []  # noqa: RUF012 (of the class, on purpose)

    def __init__(self) -> None:
        super().__init__()
        self.calls, self.sizes, self.recent = 0, [], deque(maxlen=3)
        self.by_name, self.meter, self.kinds = {"inner": {"n": [0]}}, _Meter(), {1}
        self.memory, self.table = torch.zeros(6), np.zeros(3)
        self.draws = np.random.default_rng(1)
        self.torch_draws = torch.Generator().manual_seed(2)
        self.python_draws = random.Random(3)
        self.count = self._counter()

    def _counter(self) -> Callable[[], int]:
        state, calls = [0], 0

        def count() -> int:
            nonlocal calls
            calls += 1
            state.append(calls)
            return calls

        return count

    def middle(self, x: Tensor) -> Tensor:
        self.calls += 1
        self.sizes.append(len(x))
        self.recent.append(len(x))
        self.kinds.add(self.calls)
        self.by_name["inner"]["n"][0] += 1
        self.by_name[str(self.calls)] = {}
        self.meter.values.append(float(self.count()))
        self.meter.total += 1
        self.memory.add_(1)
        self.table += 1
        self.shared.append(1)
        self.register_buffer(f"late_{self.calls}", torch.zeros(1))
        scale = self.draws.random() + self.python_draws.random()
        noise = torch.rand((), generator=self.torch_draws)
        return super().middle(x) * (1 + 0.01 * scale + 0.01 * noise) + 0.01 * self.calls


class Hooked(Small):
    """Hooks that keep what they see in the model."""

    def __init__(self) -> None:
        super().__init__()
        self.outputs: list[Tensor] = []
        self.seen: dict[int, int] = {}
        self.stem.register_forward_hook(lambda m, i, o: self.outputs.append(o))
        self.body.register_forward_pre_hook(lambda m, i: self.seen.update({len(self.seen): 1}))
        self.norm.register_full_backward_hook(lambda m, i, o: self.outputs.append(o[0]))


class Teacher(Small):
    """A moving average of its body that no registry knows, changed in every forward."""

    def __init__(self) -> None:
        super().__init__()
        self.average = [p.detach().clone() for p in self.body.parameters()]
        self.pairs = [[p] for p in self.body.parameters()]

    def middle(self, x: Tensor) -> Tensor:
        for average, [parameter] in zip(self.average, self.pairs, strict=True):
            average.data = 0.9 * average.data + 0.1 * parameter.data
        return super().middle(x)


class Cached(Small):
    """Holds a tensor with a graph, and gradients."""

    def __init__(self) -> None:
        super().__init__()
        self.last = self.features(torch.ones(2, 3, 8, 8))
        self(torch.ones(2, 3, 8, 8)).sum().backward()

    def middle(self, x: Tensor) -> Tensor:
        self.last = super().middle(x)
        for p in self.parameters():
            p.grad = None
        return self.last


class Recurrent(nn.Module):
    """Its weights hang in lists of torch's own as well."""

    def __init__(self) -> None:
        super().__init__()
        self.stem, self.memory, self.head = (
            *(nn.Conv2d(3, 6, 3, padding=1), nn.LSTM(6, 6, batch_first=True), nn.Linear(6, 10)),
        )

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.memory(self.stem(x).relu().flatten(2).mT)[0][:, -1])


def parallel_inside() -> nn.Module:
    model = Small()
    model.body = nn.DataParallel(model.body)
    return model


COPIED = ("merged in place", "merged anew", "fused", "frozen", "teacher", "parallel", "double")
ZOO: dict[str, Callable[[], nn.Module]] = {
    "merged in place": lambda: Adapted(True),
    "merged anew": lambda: Adapted(False),
    "fused": Fused,
    "frozen": Frozen,
    "recording": Recording,
    "hooked": Hooked,
    "teacher": Teacher,
    "cached": Cached,
    "recurrent": Recurrent,
    "parallel": lambda: nn.DataParallel(Small()),
    "parallel inside": parallel_inside,
    "double": lambda: Small().double(),
    "half": lambda: Small().half(),
}


def image_of(thing: object, depth: int = 0, seen: set[int] | None = None) -> object:
    """All that can be reached from a thing, as plain values that can be compared."""
    seen = set() if seen is None else seen
    if isinstance(thing, Tensor):
        gradient = thing.grad if thing.is_leaf else None
        return (
            *(id(thing), thing.requires_grad, thing.data_ptr(), id(gradient), str(thing.dtype)),
            thing.detach().double().flatten().tolist(),
        )
    if isinstance(thing, np.ndarray):
        return thing.tolist()
    if isinstance(thing, torch.Generator):
        return thing.get_state().tolist()
    if isinstance(thing, np.random.Generator):
        return repr(thing.bit_generator.state)
    if isinstance(thing, random.Random):
        return thing.getstate()
    if isinstance(thing, int | float | str | None | bool):
        return thing
    if id(thing) in seen or depth > 20:
        return id(thing)
    seen.add(id(thing))
    if isinstance(thing, dict):
        return [(k, image_of(v, depth + 1, seen)) for k, v in thing.items()]
    if isinstance(thing, list | tuple | deque | set):
        return [image_of(v, depth + 1, seen) for v in thing]
    cells = [c.cell_contents for c in getattr(thing, "__closure__", None) or ()]
    slots = [getattr(thing, name) for name in getattr(type(thing), "__slots__", ())]
    inside = vars(thing) if hasattr(thing, "__dict__") else {}
    held = [*inside.items(), *enumerate(cells), *enumerate(slots)]
    return [id(thing), *((name, image_of(x, depth + 1, seen)) for name, x in held)]


@pytest.mark.filterwarnings("ignore:.*parameters are in no layer")
@pytest.mark.parametrize("init", ["keep", "kaiming"])
@pytest.mark.parametrize("name", ZOO)
def test_a_model_comes_back_untouched(name: str, init: str) -> None:
    """All that can be reached from it is the same after every published proxy, the output too."""
    model, x = ZOO[name](), torch.ones(2, 3, 16, 16)
    dtype = next(model.parameters()).dtype
    output = copy.deepcopy(model)(x.to(dtype)) if name in COPIED else None
    before, shared = image_of(model), [*Recording.shared]
    for proxy in CLASSICS:
        score(proxy, model, init=init)
        assert image_of(model) == before, proxy
        assert shared == Recording.shared, proxy
    assert output is None or torch.equal(model(x.to(dtype)), output)


@pytest.mark.parametrize("in_place", [True, False])
def test_an_adapter_that_is_merged_keeps_weight_and_output(in_place: bool) -> None:
    model, x = Adapted(in_place), torch.randn(2, 3, 8, 8)
    expected = model(x)
    for proxy, init in itertools.product(
        ("naswot", "vkdnw_entropy", "params"), ("keep", "kaiming")
    ):
        score(proxy, model, init=init)
        assert torch.equal(model(x), expected)


def test_fresh_parameters_do_not_depend_on_the_mode_in_which_an_adapter_comes() -> None:
    merged, apart = Adapted(True), Adapted(True).train()
    for proxy in ("naswot", "vkdnw_entropy"):
        assert score(proxy, merged, init="kaiming") == score(proxy, apart, init="kaiming")


def test_a_failure_leaves_the_model_untouched_too() -> None:
    class Failing(Recording):
        def middle(self, x: Tensor) -> Tensor:
            y = super().middle(x)
            if len(x) > 2:
                raise RuntimeError("too many")
            return y

    model = Failing()
    before = image_of(model)
    with pytest.raises(eznas.InputError, match="too many"):
        score("naswot", model)
    assert image_of(model) == before


def test_what_a_callers_hook_keeps_is_the_callers() -> None:
    model, calls = Small(), []
    model.stem.register_forward_hook(lambda *_: calls.append(1))
    score("params", model)
    assert calls == [1]
