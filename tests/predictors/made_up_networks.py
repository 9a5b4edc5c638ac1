"""Networks with made-up accuracies, scores and curves; nothing is measured."""

import numpy as np

from eznas.benchmarks.curves import Curves
from eznas.predictors.features import proxies_of
from eznas.predictors.measurements import Measurements
from eznas.predictors.named import CHAMPION, PREDICTORS, PROXIES
from eznas.spaces import SPACES
from eznas.statistics.catalogue import PATHS

NETWORKS = SPACES["nasbench201"].sample(60, seed=3)
_GENERATOR = np.random.default_rng(0)
QUALITY = _GENERATOR.normal(size=len(NETWORKS))  # what accuracies and scores follow
ACCURACIES = 80 + 5 * QUALITY + _GENERATOR.normal(size=len(NETWORKS)).clip(-2, 2) / 2


def all_proxies():
    """Every proxy that a named predictor measures."""
    of_rows = {p for row in PREDICTORS.values() for text in row.features for p in proxies_of(text)}
    return sorted((of_rows - {"proxies", "champion"}) | {*PROXIES, *PATHS, CHAMPION})


def measurements():
    """Scores of every proxy: quality and noise, some lowest, some undefined, one all equal, and
    one that spans forty powers of ten."""
    known = Measurements("nasbench201")
    for number, proxy in enumerate(all_proxies()):
        noise = np.random.default_rng(number).normal(size=len(NETWORKS))
        scores = QUALITY + noise
        if proxy == "naswot":
            scores[::7] = -np.inf
        if proxy == "zico":
            scores[1::9] = np.nan
        if proxy == "epe_nas":
            scores[:] = 3.0
        if proxy == "synflow":
            scores = 10.0 ** (10 * scores)
        known.add(proxy, NETWORKS, scores)
    return known


def curves(points=9, total=30):
    """Curves that rise towards the accuracies, and losses that fall."""
    epochs = np.arange(1, points + 1)
    rest = 60 * epochs**-0.8 * np.linspace(0.8, 1.2, len(NETWORKS))[:, None]
    values = {"accuracy": (ACCURACIES[:, None] - rest).clip(1, 99), "train_loss": rest / 20}
    return Curves(
        "made up", "nasbench201", "cifar10", NETWORKS, epochs, values, ACCURACIES.copy(), total
    )
