"""How networks are measured: the settings that a user gives, and the config that they become."""

import hashlib
import os
from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass
from typing import Annotated, Any

import torch
from pydantic import BaseModel, ConfigDict, Field

from eznas.errors import InputError, unknown
from eznas.statistics.drawn import USUAL_CLASSES, DrawnInputs
from eznas.statistics.images import Images, load
from eznas.statistics.inputs import InputForm, Parts, input_form, is_real, square
from eznas.statistics.statistic import FIRST_DEFINITION
from eznas.system.arguments import described, text

INITIALISATIONS = ("kaiming", "keep")

# Images; batch norm needs two, kernels take memory with their square.
Batch = Annotated[int, Field(ge=2, le=4096)]
Seed = Annotated[int, Field(ge=0, lt=2**32)]


class MeasurementSettings(BaseModel):
    """The settings of a measurement that a user can give, with a proxy's own defaults."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    images: str | None = Field(
        None,
        description="An .npz file (images, labels) or a CIFAR-10/100 folder; without, images are "
        "generated.",
    )
    raw_batch: Batch = Field(16, description="Images for statistics that keep whole tensors.")
    sketch_batch: Batch = Field(64, description="Images for statistics that condense tensors.")
    seed: Seed = Field(0, description="Seed of fresh parameters and of noise.")
    device: str = Field("cpu", description="Where networks run: cpu, cuda, ...")

    def on(
        self, formats: Sequence[tuple[int, int]], largest: int
    ) -> tuple["MeasurementConfig", ...]:
        """The config for each format (input size in pixels, classes), on one batch of images.

        The batch is drawn at `largest` pixels, with labels of `USUAL_CLASSES` classes for all
        formats; smaller inputs see it averaged over areas, larger ones a batch of their own. Raises
        `InputError` if images or device are not available.
        """
        count = max(self.raw_batch, self.sketch_batch)
        device = available_device(self.device)

        def drawn(size: int) -> Images:
            return image_batch(self.images, count, size, seed=0, classes=USUAL_CLASSES)

        batch = drawn(largest)

        def at(size: int) -> Images:
            if size > largest:
                return drawn(size)
            return batch if size == largest else batch.resized(size)

        return tuple(
            MeasurementConfig(
                at(size),
                classes,
                raw=self.raw_batch,
                sketch=self.sketch_batch,
                seed=self.seed,
                device=device,
            )
            for size, classes in formats
        )

    def with_inputs(self, input_size: Any) -> "MeasurementConfig":
        """The config for a model that takes inputs of a size or form of its own, see
        `eznas.statistics.inputs.input_form`; labels have as many classes as the model.

        Raises `InputError` for a size that cannot be used, and if images or device are not
        available.
        """
        count = max(self.raw_batch, self.sketch_batch)
        return MeasurementConfig(
            image_batch(self.images, count, input_form(input_size), seed=0),
            raw=self.raw_batch,
            sketch=self.sketch_batch,
            seed=self.seed,
            device=available_device(self.device),
        )


# The two sets of defaults: scoring measures few networks, a search hundreds.
PROXY = MeasurementSettings()
SEARCH = MeasurementSettings(raw_batch=4, sketch_batch=32)


@dataclass(frozen=True)
class MeasurementConfig:
    """All that a score depends on besides network and formula: what a network is excited with, at
    which resolutions, and how it is initialised.

    `raw` and `sketch` are the batches of catalogue rows that keep tensors and of those that
    condense them; `initialisation` is "kaiming" or "keep" (the model as it is); `classes` is
    the width of the head that a search space builds (a user's model has its own); `output` says
    which of a model's outputs are its logits, see `eznas.statistics.outputs` (None: by its rule).
    Raises `InputError` if the initialisation is unknown.
    """

    images: Images
    classes: int = 10
    _: KW_ONLY
    raw: int
    sketch: int
    initialisation: str = "kaiming"
    seed: int = 0
    device: str = "cpu"
    output: str | None = None

    def __post_init__(self) -> None:
        if self.initialisation not in INITIALISATIONS:
            raise unknown("initialisation", self.initialisation, INITIALISATIONS)

    @property
    def size(self) -> int:
        """Side of the input in pixels."""
        return self.images.shape[-1]

    def batch(self, resolution: str) -> int:
        """Images at a resolution: raw, sketch, label (half of sketch, so that two batches with
        labels fit into one of sketches), or single."""
        sizes = {"raw": self.raw, "sketch": self.sketch, "label": self.sketch // 2, "single": 1}
        return sizes[resolution]

    def generator(self, purpose: str) -> torch.Generator:
        """A random stream of its own for each purpose, on the CPU: apart from the weights', which
        are drawn from the bare seed."""
        digest = hashlib.sha256(f"{purpose} {self.seed}".encode()).digest()
        return torch.Generator().manual_seed(int.from_bytes(digest[:4], "little"))

    def data(self, count: int, start: int = 0) -> Parts:
        """Some inputs of the batch, from `start` on: each part [count, ...]."""
        return tuple(part[start : start + count] for part in self.images.parts)

    def noise(self, count: int, draw: int = 0) -> Parts:
        """Standard normal noise, or random whole numbers, in the form of the input, each part
        [count, ...]: draw 0, 1, ... of one generator."""
        generator, parts = self.generator("noise"), self.images.form.parts
        for _ in range(draw + 1):
            noise = tuple(part.drawn(count, generator, self.images.dtype) for part in parts)
        return noise

    def ones(self) -> Parts:
        """One input of ones in float64; whole numbers in it are those of the noise."""
        return tuple(
            torch.ones(part.shape, dtype=torch.float64) if is_real(part) else part
            for part in self.noise(1)
        )

    def describe(self) -> dict[str, object]:
        """The config as plain data, for a run folder or an exported proxy."""
        named_output = {} if self.output is None else {"output": self.output}
        return named_output | {
            "images": self.images.fingerprint,
            "input": self.images.form.describe(),
            "classes": self.classes,
            "raw_batch": self.raw,
            "sketch_batch": self.sketch,
            "initialisation": self.initialisation,
            "seed": self.seed,
            "device": torch.device(self.device).type,
            "definitions": FIRST_DEFINITION,
            "torch": torch.__version__,
        }

    @property
    def key(self) -> str:
        """16 hexadecimal digits over `describe()` without the build of torch: of values by two
        builds it has to be seen whether they agree."""
        description = {name: value for name, value in self.describe().items() if name != "torch"}
        return hashlib.sha256(repr(description).encode()).hexdigest()[:16]

    @property
    def fingerprint(self) -> str:
        """16 hexadecimal digits over `describe()`: equal where equal values are to be expected."""
        return hashlib.sha256(repr(self.describe()).encode()).hexdigest()[:16]


def image_batch(
    images: str | Images | None,
    count: int,
    form: InputForm | int,
    seed: int,
    classes: int | None = None,
) -> Images:
    """At least `count` labelled inputs of a form (a number: square images of so many pixels): a
    batch as it is given (resized), read from a path, or drawn where there is neither, when they are
    first looked at, with labels of so many `classes` (None: as many as the model has).

    Raises `InputError` if there are fewer, for anything else than a path or a batch, and for images
    where the form is not one image.
    """
    form = square(form) if isinstance(form, int) else form
    if images is None:
        return DrawnInputs(form, count, seed, classes)
    if isinstance(images, Images):
        if len(images.pixels) < count:
            raise InputError(f"images: expected at least {count}, got {len(images.pixels)}")
        return images if images.form == form else images.fitted(_image_shape(form))
    if not isinstance(images, str | os.PathLike):
        expected = "expected a path (.npz or a CIFAR folder) or eznas.statistics.images.Images"
        raise InputError(f"images: {expected}, got {described(images)}")
    channels, height, width = _image_shape(form)
    return load(os.fspath(images), count, (height, width), seed, channels)


def _image_shape(form: InputForm) -> tuple[int, ...]:
    if not form.is_image:
        problem = "expected an input of 1 or 3 channels, height and width"
        raise InputError(f"images: {problem}, got {form.describe()}")
    return form.shape


def available_device(name: str | torch.device) -> str:
    """The name of a torch device. Raises `InputError` if it is not available."""
    name = str(name) if isinstance(name, torch.device) else text("device", name)
    try:
        torch.empty(1, device=name).cpu()
    except (AssertionError, ImportError, RuntimeError):  # each backend refuses in its own way
        accelerator = torch.accelerator.current_accelerator()
        more = "" if accelerator is None else f" or {accelerator.type}"
        raise InputError(f"device {name!r}: not available here, expected cpu{more}") from None
    return name
