"""What the tests of searches share: a small space, its accuracies, a predictor and proxies."""

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.linear_model import BayesianRidge
from torch import nn

from eznas.errors import InputError
from eznas.search import Settings
from eznas.search.candidates import Candidates
from eznas.spaces import Space

WIDTHS = ("1", "2", "4")
POSITIONS = (WIDTHS,) * 4


def _choices(architecture):
    choices = tuple(architecture.strip().split("-"))
    if len(choices) != len(POSITIONS) or not set(choices) <= set(WIDTHS):
        raise InputError(f"architecture {architecture!r}: expected the form 1-2-4-1")
    return choices


def _build(architecture, classes):
    layers, before = [], 3
    for width in map(int, _choices(architecture)):
        layers += [nn.Conv2d(before, width, 3, padding=1), nn.BatchNorm2d(width), nn.ReLU()]
        before = width
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(before, classes))


SPACE = Space("widths", POSITIONS, _choices, "-".join, _build)
ALL = SPACE.architectures()  # 81
RANDOM = np.random.default_rng(0)
ACCURACIES = {
    a: 60.0 + sum(map(int, _choices(a))) + float(noise)
    for a, noise in zip(ALL, RANDOM.normal(size=len(ALL)), strict=True)
}
PARTIAL = ALL[::5]  # hardly any network has a neighbour here


class Ridge(BaseEstimator):
    """A predictor: Bayesian ridge over one-hot choices."""

    def fit(self, architectures, accuracies, curves=None):
        assert len(set(architectures)) == len(architectures)
        self.regressor_ = BayesianRidge().fit([*map(SPACE.encode, architectures)], accuracies)
        return self

    def predict(self, architectures, return_std=False):
        return self.regressor_.predict([*map(SPACE.encode, architectures)], return_std=return_std)


def total_width(proxies, architectures):
    """Scores [networks, proxies] of any proxies: the sum of widths."""
    sums = [float(sum(map(int, _choices(a)))) for a in architectures]
    return np.array([sums] * len(proxies)).T.reshape(len(architectures), len(proxies))


def settings(**values):
    """Settings with which every method can begin."""
    usual = {"predictor": Ridge(), "scores": total_width, "proxies": ("width",), "pool": 20}
    return Settings(**usual | {"queries": 30, "batch": 4} | values)


def candidates(listed=ALL, **values):
    return Candidates(SPACE, listed, **values)
