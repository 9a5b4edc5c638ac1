"""What goes into a model, drawn when it is first looked at, and once for each setting."""

from functools import lru_cache

import torch

from eznas.statistics.generating import balanced_labels, choices, noises, pictures
from eznas.statistics.images import GENERATED, Images, fingerprint_of
from eznas.statistics.inputs import InputForm, Part, Parts
from eznas.statistics.surroundings import own_surroundings

USUAL_CLASSES = 10  # of labels that are asked for without a model


class DrawnInputs(Images):
    """A batch in the form of a model's input: for each of its parts generated images, where it is
    one (`eznas.statistics.generating.pictures`), else standard normal or whole numbers.

    It is drawn when its tensors, labels or fingerprint are first asked for; its form and type are
    known before. `classes` of the labels: None for as many as the model has.
    """

    def __init__(self, form: InputForm, count: int, seed: int, classes: int | None = None) -> None:
        vars(self).update(_form=form, count=count, seed=seed, classes=classes)

    @property
    def form(self) -> InputForm:
        """See `Images`."""
        form: InputForm = vars(self)["_form"]
        return form

    @property
    def parts(self) -> Parts:
        """The tensors [count, ...] of the form: float32, or of the example's whole numbers."""
        setting = vars(self)
        return _drawn(self.form.parts, setting["count"], setting["seed"])

    @property
    def pixels(self) -> torch.Tensor:
        """The first of the parts, [count, ...]."""
        return self.parts[0]

    @property
    def labels(self) -> torch.Tensor:
        """Int64 [count]."""
        return self.labels_for(USUAL_CLASSES)

    def labels_for(self, classes: int) -> torch.Tensor:
        """The labels for a model with so many classes, int64 [count]."""
        setting = vars(self)
        return balanced_labels(setting["count"], setting["classes"] or classes, setting["seed"])

    @property
    def fingerprint(self) -> str:
        """See `Images`."""
        return fingerprint_of(GENERATED, self.parts, self.labels)

    @property
    def dtype(self) -> torch.dtype:
        """The type of real numbers."""
        return torch.float32


@lru_cache(maxsize=2)  # a batch of 64 images of 224 pixels takes 38 MB
@own_surroundings()
def _drawn(parts: tuple[Part, ...], count: int, seed: int) -> Parts:
    return tuple(_drawn_part(part, count, seed, index) for index, part in enumerate(parts))


def _drawn_part(part: Part, count: int, seed: int, index: int) -> torch.Tensor:
    if part.bounds is not None:
        return choices(count, part.shape, part.bounds, seed, index).to(part.dtype)
    return (pictures if part.is_image else noises)(count, part.shape, seed, index)
