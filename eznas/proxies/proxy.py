"""Proxies: named formulas that score any model."""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from torch import nn

from eznas.errors import InputError
from eznas.formulas.expression import Expression
from eznas.proxies.one_model import Score, evaluated, warned
from eznas.spaces.user_models import USUAL_SIZE
from eznas.statistics.config import PROXY, MeasurementConfig, available_device, image_batch
from eznas.statistics.images import Images
from eznas.statistics.inputs import input_form
from eznas.system.arguments import text, whole

LARGEST_SEED = 2**32 - 1  # the largest that every random generator takes


@dataclass(frozen=True)
class Proxy:
    """A named formula and its batches: `raw_batch` images for statistics that keep whole tensors,
    `sketch_batch` for those that condense them.

    Raises `InputError` for a name that cannot be printed.
    """

    name: str
    formula: Expression
    raw_batch: int = PROXY.raw_batch
    sketch_batch: int = PROXY.sketch_batch

    def __post_init__(self) -> None:
        if not self.name.isprintable():
            raise InputError(f"proxy name {self.name!r}: expected printable characters")

    def score(
        self,
        model: nn.Module,
        input_size: Any = USUAL_SIZE,
        *,
        batch: int | None = None,
        images: str | Images | None = None,
        device: str = "cpu",
        init: str = "keep",
        seed: int = 0,
        output: str | int | None = None,
    ) -> float:
        """The score of a model, which is left as it was; larger is better, -inf is the lowest score
        and NaN is undefined.

        `input_size`: (channels, height, width), other sizes, "tokens:LENGTH:VOCAB", a list of
        several, or an example of the model's input, see `eznas.statistics.inputs.input_form`;
        `batch` replaces `sketch_batch`; `images`: a path (see `eznas.statistics.images.load`), a
        batch, or None for generated ones; `init`: "keep" (the model's own parameters) or "kaiming"
        (fresh ones, from `seed`); `output`: the name or position of the logits among the model's
        outputs, with dots where they are nested (None: see `eznas.statistics.outputs.choose`). A
        warning says what one should know of the measurement, such as parameters that are in no
        layer. Raises `InputError` for arguments that cannot be used, and if the model cannot be run
        on such inputs.
        """
        config = self.measurement_config(input_size, batch, images, device, init, seed, output)
        return warned(self.evaluate(model, config), model)

    def measurement_config(
        self,
        input_size: Any = USUAL_SIZE,
        sketch_batch: int | None = None,
        images: str | Images | None = None,
        device: str = "cpu",
        init: str = "keep",
        seed: int = 0,
        output: str | int | None = None,
    ) -> MeasurementConfig:
        """The measurement config that `score` uses, from the same arguments; `sketch_batch` is its
        `batch`.

        Raises `InputError` for an `init`, input size or batch that cannot be used, and for images
        or a device that are not available.
        """
        if init not in ("keep", "kaiming"):
            raise InputError(f"init {init!r}: expected 'keep' or 'kaiming'")
        seed = whole("seed", seed, 0, LARGEST_SEED)
        form = input_form(input_size)
        if sketch_batch is None:
            sketch_batch = self.sketch_batch
        if whole("batch", sketch_batch, 0) < 2:
            raise InputError(f"batch {sketch_batch}: expected at least 2 (batch norm needs them)")
        if output is not None and not isinstance(output, int):
            output = text("output", output)
        return MeasurementConfig(
            images=image_batch(images, max(sketch_batch, self.raw_batch), form, seed),
            raw=self.raw_batch,
            sketch=int(sketch_batch),
            initialisation=init,
            seed=seed,
            device=available_device(device),
            output=None if output is None else str(output),
        )

    def evaluate(self, model: nn.Module, config: MeasurementConfig) -> Score:
        """The score of a model under a measurement config. Raises `InputError` if the model
        cannot be run."""
        return evaluated(self.formula, model, config)


def ranked(scores: list[float]) -> list[int]:
    """Indices of scores from the highest to the lowest; undefined ones (NaN) come last."""
    keys = np.array([-math.inf if math.isnan(s) else s for s in scores])
    undefined = np.array([math.isnan(s) for s in scores])
    return [int(i) for i in np.lexsort((-keys, undefined))]
