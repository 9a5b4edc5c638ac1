"""The networks whose scores stand in the files that predictors read."""

from collections.abc import Sequence

from eznas.predictors.base import Predictor
from eznas.predictors.features import table_of
from eznas.predictors.measurements import Measurements


def networks_with_scores(
    predictors: Sequence[Predictor], measurements: Measurements, proxies: Sequence[str] = ()
) -> frozenset[str] | None:
    """The networks that stand in every file of scores which some predictor reads: its features
    `table:FILE.csv`, and the published scores of the measurements where they have a column of one
    of its proxies or of the others named. None where no file is read, so that any network will do.

    Raises `InputError` for a file that cannot be used.
    """
    texts = dict.fromkeys(text for predictor in predictors for text in predictor.features)
    tables = [measurements.table(file).architectures for t in texts if (file := table_of(t))]
    needed = [*proxies, *(p for one in predictors for p in one.requires.proxies)]
    published = measurements.published_for(needed)
    listed = [*tables, *([] if published is None else [published])]
    return frozenset.intersection(*map(frozenset, listed)) if listed else None
