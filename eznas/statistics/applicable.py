"""Which statistics a model can have, by what goes into it and what comes out of it."""

from eznas.statistics.statistic import Statistic
from eznas.statistics.traced_model import TracedModel

_LABELLED = ("label", "label2", "curvature")  # probes
_NO_CLASSES = "the logits do not have one row for each image, so that they have no labels"
_TOKENS_HAVE_NO_GRADIENT = (
    "the input is made of whole numbers (tokens), by which nothing can be differentiated"
)
_TOKENS_STAY = (
    "the input is made of whole numbers (tokens), which cannot be changed a little, as {name} needs"
)


def inapplicable(row: Statistic, model: TracedModel) -> str:
    """Why a traced model cannot have a statistic, in words; "" where it can."""
    if model.classes is None and (row.probe in _LABELLED or row.name == "same_class"):
        return _NO_CLASSES
    if model.config.images.form.has_real:
        return ""
    if row.site == "image":
        return _TOKENS_HAVE_NO_GRADIENT
    if row.probe == "shift" or row.site == "relu_change":
        return _TOKENS_STAY.format(name=row.name)
    return ""
