"""Predictors: from features, encodings or learning curves to accuracy.

`Predictor`, `load` and `PREDICTORS` are imported when they are used first: scikit-learn takes a
while, and most of the project does without it.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from eznas.predictors.base import Predictor, Requirement
    from eznas.predictors.measurements import Measurements
    from eznas.predictors.named import PREDICTORS, load

__all__ = ["PREDICTORS", "Measurements", "Predictor", "Requirement", "load"]
_HOMES = {"Predictor": "base", "Requirement": "base", "Measurements": "measurements"}


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"{__name__}.{_HOMES.get(name, 'named')}"), name)
