"""Symbolic regression of others on the features and folds of `eznas ablation`:
`python -m tests.studies.peers` makes runs/peers-nasbench201.

Needs pyoperon, ffx and six beside eznas (an environment of their own is best: they are no
dependency), and the features of 2,000 networks (`eznas records build nasbench201`). Every model is
fitted to the first 500 networks of the other folds, all data sets together, as searches are there.
"""

import time
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from eznas.benchmarks.loading import load
from eznas.discovery.callbacks import NoCallback
from eznas.discovery.config import Config
from eznas.evaluation.evaluator import one_thread
from eznas.formulas.candidates import candidate_features
from eznas.metrics import component_folds
from eznas.metrics.normal import normal_scores
from eznas.predictors.feature_models import usable_scores
from eznas.predictors.least_squares import score_columns
from eznas.studies.by_folds import fold_figures, search_part_table
from eznas.studies.records import networks_of
from eznas.studies.saving import save

Array = npt.NDArray[np.float64]
FOLDS, LABELS, NETWORKS = 5, 500, 2000
FARTHEST = 5.0  # deviations; values beyond are set to it, or a ratio of them rules a fold
FFX_FEATURES = 30  # it forms all their pairs
# What a model of x [rows, features] and y [rows] is: predictions of other rows, and its nodes.
Fitted = tuple[Callable[[Array], Array], int]


def operon(x: Array, y: Array, seed: int, **settings: Any) -> Fitted:
    """Burlacu, Kronberger & Kommenda, "Operon C++", GECCO 2020, with local search of constants."""
    regressor = import_module("pyoperon.sklearn").SymbolicRegressor
    model = regressor(
        **settings,
        max_length=100,
        max_depth=20,
        allowed_symbols="add,sub,mul,div,constant,variable",
        objectives=["r2"],
        max_evaluations=10**9,
        n_threads=1,
        random_state=seed,
    )
    model.fit(x, y)
    return model.predict, int(model.stats_["model_length"])


def ffx(x: Array, y: Array, seed: int) -> Fitted:
    """McConaghy, "FFX: Fast, Scalable, Deterministic Symbolic Regression Technology", 2011: of the
    features that correlate best, the model of the least error on a fifth of the rows, which it was
    not fitted to."""
    top = np.argsort(-np.abs(x.T @ y))[:FFX_FEATURES]
    names = [f"x{i}" for i in range(len(top))]
    tested = np.arange(len(y)) % LABELS < LABELS // 5  # mostly the same networks of each
    inner, outer = x[~tested][:, top], x[tested][:, top]
    models = import_module("ffx").run(inner, y[~tested], outer, y[tested], names)
    best = min(models, key=lambda model: model.test_nmse)
    return lambda other: best.simulate(other[:, top]), int(best.numBases())


MODELS: dict[str, Callable[[Array, Array, int], Fitted]] = {
    "Operon, 3,300 formulas": lambda *data: operon(
        *data, population_size=150, generations=21, optimizer_iterations=3
    ),
    "Operon, 2 minutes": lambda *data: operon(
        *data, population_size=1000, generations=10**6, optimizer_iterations=3, max_time=120
    ),
    "FFX": ffx,
}


def main() -> None:
    """Fit all models, and write their rows and the page."""
    sample = networks_of(load("nasbench201"), "search", NETWORKS)
    tasks, places = sample.tasks(), component_folds(sample.components, FOLDS)
    config = Config()
    features = candidate_features(config.evolution.statistics)
    with one_thread():
        table = search_part_table(sample, config, features, None, 1, NoCallback())
        columns = score_columns(features, table, tasks, len(places)).numpy()
    scored, usable = usable_scores(columns)
    x = columns[:, usable].reshape(len(tasks), len(places), -1)
    is_scored = scored.reshape(len(tasks), len(places))
    scores, rows = [], []
    for name, fit in MODELS.items():
        of_model, nodes, start = np.full(is_scored.shape, -np.inf), [], time.monotonic()
        for fold in range(FOLDS):
            labelled = np.isin(np.arange(len(places)), np.flatnonzero(places != fold)[:LABELS])
            z, targets = [], []
            for task, of_task, is_usable in zip(tasks, x, is_scored & labelled, strict=True):
                z.append(of_task - of_task[is_usable].mean(0))
                targets.append(normal_scores(task.accuracies[is_usable]))
            deviations = np.concatenate(z)[(is_scored & labelled).ravel()].std(0)
            varies = deviations > 0
            z = [(zs[:, varies] / deviations[varies]).clip(-FARTHEST, FARTHEST) for zs in z]
            fitted = np.concatenate(z)[(is_scored & labelled).ravel()]
            predict, size = fit(fitted, np.concatenate(targets), fold + 1)
            for number, ranked in enumerate(is_scored & (places == fold)):
                of_model[number, ranked] = predict(z[number][ranked])
            nodes.append(size)
            print(name, "fold", fold, f"{time.monotonic() - start:.0f} s", flush=True)
        scores.append(of_model)
        rows.append({"model": name, "terms": None, "nodes": float(np.mean(nodes))})
    common = {"space": sample.source, "accuracy": sample.kind, "networks": len(places)}
    common |= {"folds": FOLDS, "language": "all features", "features": x.shape[2]}
    common |= {"labels": LABELS}
    figures = fold_figures(scores, sample, places)
    content = {"by_folds": [common | row | f for row, f in zip(rows, figures, strict=True)]}
    command = "python -m tests.studies.peers"
    save(Path("runs/peers-nasbench201/peers.json"), content, command)
    for row in content["by_folds"]:
        print(row["model"], row["nodes"], row["tau"], row["mean"])


if __name__ == "__main__":
    main()
