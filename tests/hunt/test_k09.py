"""K9: whatever modes and defaults of torch the caller has set stay out."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

import pytest
import torch
from torch.overrides import TorchFunctionMode
from torch.utils.flop_counter import FlopCounterMode

import eznas
from eznas.statistics import drawn
from tests.hunt.small import Small, score

PROXIES = ("naswot", "zen", "snip", "synflow", "jacob_cov", "grasp", "vkdnw_entropy", "params")


class Doubling(TorchFunctionMode):
    """A mode that would change every result."""

    def __torch_function__(self, func, types, args=(), kwargs=None):
        result = func(*args, **(kwargs or {}))
        if getattr(func, "__name__", "") in ("conv2d", "linear", "relu"):
            return result * 2
        return result


@contextmanager
def default_dtype() -> Iterator[None]:
    torch.set_default_dtype(torch.float64)
    try:
        yield
    finally:
        torch.set_default_dtype(torch.float32)


@contextmanager
def default_device() -> Iterator[None]:
    torch.set_default_device("meta")
    try:
        yield
    finally:
        torch.set_default_device(None)


SURROUNDINGS: dict[str, Callable[[], AbstractContextManager[object]]] = {
    "autocast": lambda: torch.autocast("cpu", torch.bfloat16),
    "inference": torch.inference_mode,
    "no gradients": torch.no_grad,
    "default type": default_dtype,
    "default device": default_device,
    "device": lambda: torch.device("meta"),
    "function mode": Doubling,
    "dispatch mode": lambda: FlopCounterMode(display=False),
    "saved tensors": lambda: torch.autograd.graph.saved_tensors_hooks(lambda t: t * 0, lambda t: t),
    "anomaly": lambda: torch.autograd.set_detect_anomaly(True, check_nan=False),
}
MODEL = Small()


@pytest.fixture(scope="module")
def expected() -> dict[str, float]:
    return {proxy: score(proxy, MODEL) for proxy in PROXIES}


@pytest.mark.filterwarnings("ignore:Anomaly Detection")
@pytest.mark.parametrize("name", SURROUNDINGS)
def test_a_score_does_not_depend_on_its_surroundings(name, expected) -> None:
    """The images too are drawn anew inside."""
    for proxy in PROXIES:
        drawn._drawn.cache_clear()
        with SURROUNDINGS[name]():
            assert score(proxy, MODEL) == expected[proxy], proxy


@pytest.mark.parametrize("name", ["autocast", "inference", "default type", "device"])
def test_neither_does_the_score_of_an_architecture(name) -> None:
    architecture = "nasbench201/" + eznas.SPACES["nasbench201"].sample(1)[0]
    options = {"input_size": (3, 8, 8), "batch": 4}
    [plain] = eznas.score("naswot", architecture, **options)
    drawn._drawn.cache_clear()
    with SURROUNDINGS[name]():
        [inside] = eznas.score("naswot", architecture, **options)
    assert inside["score"] == plain["score"]


def test_the_callers_modes_are_there_again_afterwards() -> None:
    with Doubling(), torch.autocast("cpu", torch.bfloat16), torch.inference_mode():
        score("snip", MODEL)
        assert torch.is_inference_mode_enabled()
        assert torch.is_autocast_enabled("cpu")
        assert torch.nn.functional.relu(torch.ones(1)) == 2
    with torch.no_grad():
        score("snip", MODEL)
        assert not torch.is_grad_enabled()
