"""How long proxies take to score a model, beside the bare passes that their formulas need."""

import copy
import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from eznas.evaluation.evaluator import one_thread
from eznas.evaluation.executors import NoPhases, Phases
from eznas.evaluation.plan import Plan
from eznas.proxies.classics import CLASSICS
from eznas.proxies.discovered import DISCOVERED
from eznas.proxies.loading import load
from eznas.proxies.proxy import Proxy
from eznas.spaces import SPACES
from eznas.statistics.catalogue import CATALOGUE
from eznas.statistics.config import MeasurementConfig
from eznas.statistics.statistic import Statistic

SPACE = "nasbench201"
TRIES = 5
LONG = ("grasp", "vkdnw_entropy")  # minutes at 224 pixels; timed where they are named


def scoring_times(
    proxies: Sequence[str] = (),
    *,
    tries: int = TRIES,
    device: str = "cpu",
    watcher: Phases | None = None,
) -> list[dict[str, Any]]:
    """Seconds to score a network of NAS-Bench-201 and a ResNet-18 at 224 pixels by each proxy, on
    one thread; by default all published ones (but two that take minutes) and discovered ones.

    A row for each proxy and model: proxy, model, `seconds` of a score, `passes`: seconds of one
    forward pass and of the forward and backward passes of the formula's probes, as a loop by hand
    runs them on the same batch, and `ratio`, seconds over passes; medians of `tries`. A formula
    without probes is compared with a forward pass of one image.

    Raises `InputError` for a proxy that is none and a device that is not available.
    """
    names = [*proxies] or [*(n for n in CLASSICS if n not in LONG), *DISCOVERED]
    loaded = [load(name) for name in names]
    models: dict[str, tuple[nn.Module, tuple[int, ...]]] = {
        SPACE: (SPACES[SPACE].build(SPACES[SPACE].sample(1, seed=0)[0]), (3, 32, 32)),
        "resnet18": (resnet18(), (3, 224, 224)),
    }
    total = len(names) * len(models)
    progress = (watcher or NoPhases()).phase(f"scoring by {len(names)} proxies", total)
    rows = []
    with one_thread():
        for model_name, (model, input_size) in models.items():
            for proxy in loaded:
                config = proxy.measurement_config(input_size, device=device)
                pairs = [_pair(proxy, model, config) for _ in range(tries)]
                seconds, passes = np.median(pairs, axis=0).tolist()
                rows.append(
                    {"proxy": proxy.name, "model": model_name}
                    | {"seconds": seconds, "passes": passes, "ratio": seconds / passes}
                )
                if progress is not None:
                    progress(len(rows), total)
    return rows


def _pair(proxy: Proxy, model: nn.Module, config: MeasurementConfig) -> tuple[float, float]:
    """Seconds of a score, and of its bare passes."""
    rows = [CATALOGUE[n] for n in Plan.of(proxy.formula.features()).statistics()]
    return timed(proxy.evaluate, model, config), passes_of(model, config, rows)


def passes_of(model: nn.Module, config: MeasurementConfig, rows: Sequence[Statistic]) -> float:
    """Seconds of one forward pass, and of the bare passes that the probes of some statistics need,
    on their batches; the forward pass is on the largest, or on one image where there are none."""
    excitations = sorted({r.excitation for r in rows if r.probe != "structure"})
    largest = max((config.batch(batch) for _, batch in excitations), default=1)
    images = config.images.pixels[:largest].to(config.device)
    images = images.contiguous(memory_format=torch.channels_last)
    twin = copy.deepcopy(model).to(config.device).train(largest > 1)
    seconds = timed(_pass, twin, images, backward=False)
    for probe, batch in excitations:
        backward = any(r.gradient for r in rows if r.excitation == (probe, batch))
        part = images[: config.batch(batch)]
        twin = copy.deepcopy(model).to(config.device).train()
        if probe == "flow":
            twin, part = twin.double().eval(), part[:1].double()
        seconds += timed(_pass, twin, part, backward=backward)
    return seconds


def timed(work: Callable[..., object], *arguments: object, **keywords: object) -> float:
    """Seconds of a call."""
    start_time = time.perf_counter()
    work(*arguments, **keywords)
    return time.perf_counter() - start_time


def _pass(model: nn.Module, images: Tensor, backward: bool) -> None:
    images = images.detach().requires_grad_(backward)
    with torch.set_grad_enabled(backward):
        logits = model(images)
    if backward:
        inputs = [images, *model.parameters()]
        torch.autograd.grad(logits.sum(), inputs, allow_unused=True)  # some parameters are unused
    if images.is_cuda:
        torch.cuda.synchronize(images.device)


def resnet18(classes: int = 1000) -> nn.Module:
    """ResNet-18, freshly initialised. Source: He et al., "Deep Residual Learning for Image
    Recognition", CVPR 2016."""
    stages = [
        _Block(before, width, stride)
        for width, earlier, first in ((64, 64, 1), (128, 64, 2), (256, 128, 2), (512, 256, 2))
        for before, stride in ((earlier, first), (width, 1))
    ]
    return nn.Sequential(
        *(nn.Conv2d(3, 64, 7, 2, 3, bias=False), nn.BatchNorm2d(64), nn.ReLU()),
        *(nn.MaxPool2d(3, 2, 1), *stages),
        *(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(512, classes)),
    )


class _Block(nn.Module):
    """Two 3x3 convolutions beside a shortcut."""

    def __init__(self, before: int, width: int, stride: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            *(nn.Conv2d(before, width, 3, stride, 1, bias=False), nn.BatchNorm2d(width)),
            *(nn.ReLU(), nn.Conv2d(width, width, 3, 1, 1, bias=False), nn.BatchNorm2d(width)),
        )
        shorter = before == width and stride == 1
        projection = (nn.Conv2d(before, width, 1, stride, bias=False), nn.BatchNorm2d(width))
        self.shortcut = nn.Sequential() if shorter else nn.Sequential(*projection)
        self.activation = nn.ReLU()

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.activation(self.layers(x) + self.shortcut(x))
        return y
