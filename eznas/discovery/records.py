"""Feature stores of runs: one folder for each space, in the data folder unless another is named."""

import contextlib
from collections.abc import Sequence
from pathlib import Path

from eznas.benchmarks.store import folder as data_folder
from eznas.errors import InputError
from eznas.evaluation.contexts import Context
from eznas.evaluation.feature_store import FeatureStore
from eznas.formulas.candidates import candidate_features
from eznas.formulas.expression import Expression
from eznas.formulas.simplify import simplified
from eznas.system.files import copy_folder

NONE = "none"  # in place of a folder: no store
PACKAGED = Path(__file__).parents[1] / "evaluation" / "stored"  # a folder for some spaces


def records_folder(records: str | None) -> Path | None:
    """The folder of feature stores that a text names, None for "none"; where there is no text,
    `features` in the data folder, and None where that cannot be found."""
    if records is not None:
        return None if records == NONE else Path(records)
    return _usual_folder()


def _usual_folder() -> Path | None:
    try:
        return data_folder() / "features"
    except InputError:
        return None


def stores_for(contexts: Sequence[Context], folder: Path | None) -> dict[int, FeatureStore]:
    """The feature store of each context, by its number: that of its space in a folder (None: there
    are no stores); in the data folder it begins with the values that ship. A user's own models have
    none: their values change with their code.

    Raises `InputError` for a store that is damaged or of another space.
    """
    stores: dict[str, FeatureStore] = {}
    for context in contexts:
        name = context.space.name
        if folder is not None and not context.presented and name not in stores:
            if folder == _usual_folder():
                _unpack(folder, name)
            stores[name] = FeatureStore(folder / name, name)
    return {
        number: stores[context.space.name]
        for number, context in enumerate(contexts)
        if context.space.name in stores
    }


def _unpack(folder: Path, name: str) -> None:
    """Copy the store of a space that ships to where it can be added to, if there is none yet. Where
    that cannot be written to, its values are measured."""
    if (PACKAGED / name).is_dir():
        with contextlib.suppress(InputError):
            copy_folder(PACKAGED / name, folder / name)


def listed_features(statistics: Sequence[str], formulas: Sequence[Expression]) -> frozenset[str]:
    """The texts of the features that stores keep: the short ones of some statistics, and those of
    some formulas. What an evolution invents besides is used for a generation or two."""
    features = [*candidate_features(statistics), *(f for g in formulas for f in g.features())]
    return frozenset(simplified(feature).text for feature in features)
