"""A search for a proxy on a user's own models, with the conventions of scikit-learn."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.base import BaseEstimator
from sklearn.exceptions import NotFittedError

from eznas.benchmarks.own_models import own_benchmark, unlabelled
from eznas.discovery.callbacks import Callback, NoCallback
from eznas.discovery.config import Config, read
from eznas.discovery.front import evaluated, front_of
from eznas.discovery.own_models import cross_validate, mean_tau, not_ahead_of, recommend
from eznas.discovery.search import search_formulas
from eznas.discovery.setup import Setup, prepare
from eznas.discovery.termination import termination_of
from eznas.evolution.engine import Engine
from eznas.formulas.parser import parse
from eznas.metrics import Difference, Row, kendall
from eznas.proxies.measured import ScoringSettings, score_all
from eznas.proxies.proxy import Proxy
from eznas.spaces.own_models import Model

Array = npt.NDArray[np.float64]


class ProxySearch(BaseEstimator):  # type: ignore[misc]
    """Evolves a formula that ranks your models, from their accuracies.

    `input_size`: what goes into the models, as `eznas.Proxy.score` takes it (None: 3 x 32 x 32, and
    for a model of timm or torchvision its own); `init`: "keep" or "kaiming" (None: a module and
    what a factory made are kept); `seed` of the search; `settings`: any of the configuration, as
    {"generations": 20} (`eznas guide evolve` lists them); `workers`: processes; `watcher`: a
    `Callback`.

    After `fit`: `best_`, the text of the best formula, and `front_`, formulas by size, each better
    than all smaller ones: dicts with formula, size, fitness on all models (with its 95 % interval,
    low to high) and recommended, whether it is the smallest within one standard error of the
    fittest; `evidence_` and
    `difference_`: rows as `eznas.correlate` gives them, of cross-validated champions ("champion")
    and published proxies; `recommended_`: the published proxy that these are not ahead of, "" where
    there is none; `n_models_`. With fewer than 13 models nothing is evolved, and `best_` is that
    published proxy. All that was found is text and numbers.

    No file is written, and no signal is handled; after an interrupt the estimator is as before.
    """

    def __init__(
        self,
        *,
        input_size: Any = None,
        init: str | None = None,
        seed: int = 1,
        settings: Mapping[str, Any] | None = None,
        workers: int = 1,
        watcher: Callback | None = None,
    ) -> None:
        self.input_size = input_size
        self.init = init
        self.seed = seed
        self.settings = settings
        self.workers = workers
        self.watcher = watcher

    def fit(self, models: str | Sequence[Model], accuracies: Any = None) -> "ProxySearch":
        """Search on models: modules, functions that return one, names, or a CSV file.

        `accuracies`: numbers [models], larger is better, or those of several data sets by name
        (None: of the file). Raises `InputError` for models, accuracies or settings that cannot be
        used.
        """
        benchmark = own_benchmark(
            models, accuracies, input_size=self.input_size, initialisation=self.init
        )
        setup = prepare(self._config(), self.workers, None, benchmark)
        findings = self._searched(setup, self.watcher or NoCallback())
        findings["n_models_"] = len(benchmark.architectures)
        for name, value in findings.items():  # at the end: an interrupt leaves an earlier fit
            setattr(self, name, value)
        return self

    def predict(self, models: Sequence[Model]) -> Array:
        """The scores of the best formula, float64 [models]; larger is better, -inf is the lowest,
        NaN is undefined. They order models, and are no accuracies.

        Raises `InputError` for a model that cannot be made or run, and scikit-learn's
        `NotFittedError` before `fit`.
        """
        if not hasattr(self, "best_"):
            raise NotFittedError(f"{type(self).__name__}: call fit first")
        measurement = self._config().measurement
        proxy = Proxy("best", parse(self.best_), measurement.raw_batch, measurement.sketch_batch)
        benchmark = unlabelled(models, self.input_size, self.init)
        settings = ScoringSettings(
            (measurement.seed,), measurement.images, device=measurement.device, workers=self.workers
        )
        scored = score_all([proxy], benchmark, settings, self.watcher or NoCallback())
        scores: Array = scored.means()["accuracy"][0]
        return scores

    def score_models(self, models: Sequence[Model]) -> Array:
        """`predict`, by the name of what it gives: float64 [models]."""
        return self.predict(models)

    def score(self, models: Sequence[Model], accuracies: Sequence[float]) -> float:
        """Kendall's tau of the scores with accuracies [models]: nothing else than `predict` is
        needed for it, but models that took part in `fit` say little. Raises as `predict` does."""
        return kendall(self.predict(models), accuracies)

    def _config(self) -> Config:
        return read(settings={**(self.settings or {}), "evolution.seed": self.seed})

    def _searched(self, setup: Setup, callback: Callback) -> dict[str, Any]:
        """What a search finds, by the names of the attributes."""
        size_of = setup.config.evolution.size_of
        if setup.has_too_few:
            recommended, search, (rows, differences) = recommend(setup, self.workers, callback)
            archived = [
                {
                    "formula": search.champion.text,
                    "size": size_of(search.champion),
                    "fitness": mean_tau(rows, recommended),
                }
            ]
        else:
            archived = list[dict[str, Any]]()

            def keep(engine: Engine, report: Any, seconds: float) -> None:
                archived[:] = [
                    asdict(entry) | {"size": size_of(parse(entry.formula))}
                    for entry in engine.shipped()
                ]

            config = setup.config
            limits = termination_of(config.evolution.generations, config.termination, None)
            search = search_formulas(setup, self.workers, callback, limits, on_generation=keep)
            rows, differences, recommended = list[Row](), list[Difference](), ""
            if config.evidence.networks:
                rows, differences = cross_validate(setup, search, self.workers, callback)
                recommended = not_ahead_of(rows)
        entries = front_of(archived)
        front, _ = evaluated(entries, setup.samples, setup.config, self.workers, callback)
        keys = ("formula", "size", "fitness", "low", "high", "recommended")
        return {
            "best_": search.champion.text,
            "front_": [{key: row[key] for key in keys} for row in front],
            "recommended_": recommended,
            "evidence_": rows,
            "difference_": differences,
        }
