"""Proxies: formulas with a name that score any model."""

import math
import time
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from eznas.errors import InputError
from eznas.evaluation.bank import stack
from eznas.evaluation.plan import Plan, evaluate
from eznas.evaluation.scoring import combine
from eznas.formulas.expression import Expression
from eznas.statistics.catalogue import CATALOGUE
from eznas.statistics.config import MeasurementConfig
from eznas.statistics.images import Images, generated, load
from eznas.statistics.measuring import measure

RAW_BATCH = 16
SKETCH_BATCH = 64


@dataclass(frozen=True)
class Score:
    """What a proxy says of one model: larger is better.

    `value` is finite, -inf ("lowest": a singular kernel, no layer between input and logits) or
    NaN (undefined, with a `reason`); `seconds` is what measuring and evaluating took.
    """

    value: float
    reason: str
    seconds: float


@dataclass(frozen=True)
class Proxy:
    """A named formula, and the batches it was evolved with; `InputError` for a name that cannot be
    printed."""

    name: str
    formula: Expression
    raw_batch: int = RAW_BATCH
    sketch_batch: int = SKETCH_BATCH

    def __post_init__(self) -> None:
        if not self.name.isprintable():
            raise InputError(f"proxy name {self.name!r}: expected printable characters")

    def score(
        self,
        model: nn.Module,
        input_size: tuple[int, int, int] = (3, 32, 32),
        *,
        batch: int | None = None,
        images: str | Images | None = None,
        device: str = "cpu",
        init: str = "keep",
        seed: int = 0,
    ) -> float:
        """The score of a model, which comes back untouched; larger is better.

        `input_size` is (channels, height, width); `batch` replaces the proxy's batch of
        sketches; `images` is a path (see `eznas.statistics.images.load`), a batch, or None for
        generated ones; `init` is "keep" (the model as it is) or "kaiming" (fresh parameters from
        `seed`). -inf means lowest, NaN undefined. `InputError` where the model cannot be run.
        """
        conditions = self.conditions(input_size, batch, images, device, init, seed)
        return self.measured(model, conditions).value

    def conditions(
        self,
        input_size: tuple[int, int, int] = (3, 32, 32),
        batch: int | None = None,
        images: str | Images | None = None,
        device: str = "cpu",
        init: str = "keep",
        seed: int = 0,
    ) -> MeasurementConfig:
        """The conditions under which `score` measures; `InputError` for what cannot be."""
        if init not in ("keep", "kaiming"):
            raise InputError(f"init {init!r}: expected 'keep' or 'kaiming'")
        if len(input_size) != 3 or input_size[0] != 3 or input_size[1] != input_size[2]:
            raise InputError(f"input {input_size}: expected 3 channels and a square, as in 3,32,32")
        if batch is not None and batch < 2:
            raise InputError(f"batch {batch}: expected at least 2 (batch norm needs them)")
        sketch = self.sketch_batch if batch is None else batch
        return MeasurementConfig(
            images=batch_of(images, max(sketch, self.raw_batch), input_size[1], seed),
            raw=self.raw_batch,
            sketch=sketch,
            initialisation=init,
            seed=seed,
            device=device_of(device),
        )

    def measured(self, model: nn.Module, conditions: MeasurementConfig) -> Score:
        """The score under given conditions, with its reason and the time it took."""
        begun = time.perf_counter()
        plan = Plan.of(self.formula.features())
        rows = [CATALOGUE[name] for name in plan.statistics()]
        shard = stack([measure(model, conditions, rows)], conditions.device)
        values, coverage = evaluate(plan, shard)
        found = {root.text: (values[i], coverage[i]) for i, root in enumerate(plan.roots)}
        scores = combine(self.formula, found.__getitem__)
        value = float(scores.values[0]) if scores.values.size else math.nan
        return Score(value, scores.reason, time.perf_counter() - begun)


def batch_of(images: str | Images | None, count: int, size: int, seed: int) -> Images:
    """A batch of `count` images of `size` pixels: given, read from a path, or generated."""
    if isinstance(images, Images):
        if len(images.pixels) < count:
            raise InputError(f"images: expected at least {count}, got {len(images.pixels)}")
        return images if images.pixels.shape[-1] == size else images.resized(size)
    return generated(count, size, seed=seed) if images is None else load(images, count, size, seed)


def device_of(name: str) -> str:
    """The name of a device that is there; `InputError` where it is not."""
    try:
        torch.empty(1, device=name).cpu()
    except (AssertionError, ImportError, RuntimeError):  # each backend refuses in its own way
        there = torch.accelerator.current_accelerator()
        more = "" if there is None else f" or {there.type}"
        raise InputError(f"device {name!r}: not available here, expected cpu{more}") from None
    return name


def ranked(scores: list[float]) -> list[int]:
    """Indices from the highest score to the lowest; undefined ones last."""
    keys = np.array([-math.inf if math.isnan(s) else s for s in scores])
    undefined = np.array([math.isnan(s) for s in scores])
    return [int(i) for i in np.lexsort((-keys, undefined))]
