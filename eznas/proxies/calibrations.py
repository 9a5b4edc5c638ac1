"""Calibration files: what a proxy's scores say of accuracies, and of which networks."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import BaseModel, ConfigDict

from eznas.errors import InputError
from eznas.metrics.calibration import Curve
from eznas.proxies.calibrated import CALIBRATED
from eznas.proxies.proxy import Proxy
from eznas.statistics.config import Batch
from eznas.system.files import read_as, write_whole

FORMAT = 1


class ReliabilityRow(BaseModel):
    """Pairs in cross-validation: what was predicted, and how often it was right, with its 95 %
    interval."""

    networks: str  # "all", or "upper half" by score
    pairs: int
    predicted: float
    observed: float
    low: float
    high: float


class CalibratedDataset(BaseModel):
    """Accuracies on one data set: utilities (see `Curve`), and what cross-validation says of them;
    `brier`: the mean squared error of probabilities, .25 for knowing nothing."""

    utilities: list[float]
    brier: float
    reliability: list[ReliabilityRow]


class Calibration(BaseModel):
    """The content of a calibration file.

    `space`: that of its networks, "" for models of a user's own, which `source` names; `networks`
    that were counted, and `left_out` of those, which have no finite score; `scores` and `shares`:
    see `Curve`; `sizes`: size -> its least and greatest value; `inputs`: what went into the
    networks, as `InputForm.describe` says it.
    """

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)

    eznas_calibration: int = FORMAT
    proxy: str
    formula: str
    raw_batch: Batch
    sketch_batch: Batch
    space: str
    source: str
    accuracy: str
    networks: int
    left_out: int
    initialisations: int
    inputs: list[list[Any]]
    sizes: dict[str, tuple[float, float]]
    scores: list[float]
    shares: list[float]
    datasets: dict[str, CalibratedDataset]

    def curve(self, dataset: str) -> Curve:
        """From scores to utilities on a data set."""
        columns = self.scores, self.shares, self.datasets[dataset].utilities
        return Curve(*(np.array(column) for column in columns))

    def fits(self, proxy: Proxy) -> bool:
        """Whether it is one of this proxy's formula and batches."""
        own = self.formula, self.raw_batch, self.sketch_batch
        return own == (proxy.formula.text, proxy.raw_batch, proxy.sketch_batch)


def write(path: Path, content: Calibration) -> None:
    """Write a calibration file atomically. Raises `InputError` if it cannot be written."""
    write_whole(path, content.model_dump_json(indent=1) + "\n")


def read(path: Path) -> Calibration:
    """The content of a calibration file. Raises `InputError`, which names the file and what is
    wrong with it."""
    content = read_as(path, Calibration)
    if content.eznas_calibration != FORMAT:
        raise InputError(f"{path}: format {content.eznas_calibration}, expected {FORMAT}")
    utilities = [content.datasets[dataset].utilities for dataset in content.datasets]
    for column in (content.scores, content.shares, *utilities):
        if len(column) < 2 or sorted(column) != column:
            raise InputError(f"{path}: damaged: expected scores, shares and utilities that rise")
    if len(content.scores) != len(content.shares):
        raise InputError(f"{path}: damaged: as many scores as shares are expected")
    return content


def calibrations_of(proxy: Proxy) -> Sequence[Calibration]:
    """The calibrations in the box of a proxy, by its formula. Raises `InputError` for a damaged
    file."""
    return [content for path in CALIBRATED if (content := read(path)).fits(proxy)]
