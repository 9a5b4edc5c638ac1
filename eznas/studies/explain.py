"""What a formula computes, part by part: in words, and what each part is worth on a sample."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from eznas.benchmarks.loading import load as load_benchmark
from eznas.benchmarks.own_models import own_benchmark
from eznas.benchmarks.subsets import AtMost, named_set
from eznas.discovery.callbacks import Callback, NoCallback
from eznas.discovery.front import other_networks
from eznas.errors import InputError
from eznas.evaluation.feature_values import Array
from eznas.formulas.expression import Expression
from eznas.formulas.parts import Parts, with_numbers
from eznas.formulas.words import in_words
from eznas.metrics import interval
from eznas.proxies.loading import USUAL_SPACE, describe, load
from eznas.proxies.measured import ScoringSettings
from eznas.proxies.proxy import Proxy
from eznas.statistics.catalogue import CATALOGUE
from eznas.studies.formula_sample import REPLICATES, FormulaSample
from eznas.system.arguments import checked, whole
from eznas.system.files import plain
from eznas.system.folder import RunFolder, is_run

NEGLIGIBLE = 0.005  # of tau: what all parts together may lose that a formula is shown without
CONSTANT = 1e-9  # relative difference between the values of a part that does not change


@dataclass(frozen=True)
class Explanation:
    """What a formula computes, and what its parts are worth on networks with known accuracies.

    `kind`: "sum" (the parts are its terms), "product" (they are its factors) or "single".
    `sets`: the networks, for each space a dict with the keys space, networks, set, accuracy; and
    seen, where the search of the proxy has seen that many accuracies of a space that was asked for.
    `tau`: data set -> Kendall's tau of the formula; `mean_tau`: their mean.

    `parts`, what matters most first: dicts with the keys formula, weight (1 for a factor), words,
    statistics; share (of the variance of the score; for a product, of its log), lost (the mean tau
    of the formula minus that of the formula without the part) with low and high (a 95 % bootstrap
    interval), alone (mean tau of the part by itself), constant (whether it is the same for all
    networks of a data set) and spared (whether it is not in the core). What is undefined is None.

    `core`: the formula without the parts that together lose no more than `NEGLIGIBLE` of tau, a
    dict with the keys formula, parts, tau; None where all parts matter. `constants`: sub-formula ->
    its value, where that is the same for all networks; `reduced`: the formula with these values in
    place, less what adds the same to every score ("" where nothing is left, None where nothing is
    constant). `statistics`: dicts with the keys statistic, meaning, probe and source.
    """

    proxy: str
    formula: str
    kind: str
    sets: list[dict[str, Any]]
    tau: dict[str, float | None]
    mean_tau: float | None
    parts: list[dict[str, Any]]
    core: dict[str, Any] | None
    constants: dict[str, float]
    reduced: str | None
    statistics: list[dict[str, str]]


@checked
def explain(
    proxy: str,
    *,
    models: str | Sequence[Any] | None = None,
    accuracies: Sequence[float] | Mapping[str, Sequence[float]] | None = None,
    input_size: Any = None,
    init: str | None = None,
    space: str | None = None,
    networks: int = 200,
    seed: int = 0,
    images: str | None = None,
    sketch: int = 0,
    device: str = "cpu",
    workers: int = 1,
    records: str | None = None,
    watcher: Callback | None = None,
) -> Explanation:
    """What a proxy computes, in words, and what each of its parts is worth.

    `proxy`: a text as `load` takes it. It is evaluated on up to `networks` networks of the search
    part of a `space`, drawn by `seed` (which is also that of initialisations); where none is named,
    a formula of a run is evaluated on networks of each space of the run that its search did not
    use, as `eznas.front` does, and any other on nasbench201. Or on a user's own `models` with
    `accuracies`, see `eznas.correlate`. `images` to `records`: see `ScoringSettings`. Raises
    `InputError` for an argument that cannot be used, and where a network cannot be measured.
    """
    loaded, at_most = load(proxy), AtMost(whole("networks", networks, 2))
    seen: Mapping[str, int] = {}  # space -> accuracies that the search of the proxy has seen
    if models is not None and space is not None:
        raise InputError("space: not with models of your own")
    if models is not None:
        benchmarks = [own_benchmark(models, accuracies, input_size=input_size, initialisation=init)]
    elif space is None and (run := _run_of(proxy)) is not None:
        benchmarks = other_networks(run, at_most)
    else:
        benchmarks = [named_set(load_benchmark(space or USUAL_SPACE), "search", at_most, seed)]
        seen = describe(proxy).labels or {}
    settings = ScoringSettings((seed,), images, 0, sketch, device, workers, records)
    sample = FormulaSample.of(loaded, benchmarks, settings, watcher or NoCallback())
    result = explained(loaded, sample)
    spaces = [row["space"].partition(":")[0] for row in result.sets]
    sets = [
        row | ({"seen": seen[space]} if space in seen else {})
        for row, space in zip(result.sets, spaces, strict=True)
    ]
    return replace(result, sets=sets)


def _run_of(proxy: str) -> RunFolder | None:
    """The run that a text names, itself or a formula of its archive."""
    name = proxy.strip().removeprefix("run:").partition("#")[0]
    return RunFolder.find(name) if is_run(name) else None


def explained(proxy: Proxy, sample: FormulaSample) -> Explanation:
    """What a proxy computes, on the networks of a sample of its formula."""
    formula = proxy.formula.canonical
    split = Parts.of(formula)
    count = len(split.parts)
    alone = [split.alone(index) for index in range(count)]
    without = [split.without([index]) for index in range(count)] if count > 1 else []
    by_dataset = sample.taus([formula, *alone, *without])
    mean = np.mean([*by_dataset.values()], 0)  # [formulas, 1 + replicates]
    lost = mean[0] - mean[1 + count :] if count > 1 else np.full((1, 1 + REPLICATES), np.nan)
    order = sorted(range(count), key=lambda i: -np.inf if np.isnan(lost[i, 0]) else -lost[i, 0])
    spared = _spared(split, order, sample, float(mean[0, 0]))
    core = None
    if spared:
        kept = split.without(spared)
        tau = _mean_tau(kept, sample)
        core = {"formula": kept.text, "parts": count - len(spared), "tau": tau}
    constants = _constant_features(formula, sample)
    return Explanation(
        proxy=proxy.name,
        formula=proxy.formula.text,
        kind=split.kind,
        sets=[
            {"space": b.source, "networks": len(b.architectures), "set": b.name, "accuracy": b.kind}
            for b in sample.benchmarks
        ],
        tau=plain({dataset: float(values[0, 0]) for dataset, values in by_dataset.items()}),
        mean_tau=plain(float(mean[0, 0])),
        parts=[
            {**_row(split, i, lost[i], float(mean[1 + i, 0]), sample), "spared": i in spared}
            for i in order
        ],
        core=core,
        constants=constants,
        reduced=_reduced(split, constants, sample) if constants else None,
        statistics=[
            {"statistic": name, "meaning": row.meaning, "probe": row.probe, "source": row.source}
            for name in formula.statistics()
            for row in [CATALOGUE[name]]
        ],
    )


def _row(
    split: Parts, index: int, lost: Array, alone: float, sample: FormulaSample
) -> dict[str, Any]:
    """What `Explanation.parts` says of one part; `lost` [1 + replicates]."""
    part = split.parts[index]
    low, high = interval(lost[1:])
    row = {
        "formula": part.text,
        "weight": split.weights[index],
        "words": in_words(part),
        "statistics": part.statistics(),
        "share": _share(split, index, sample),
        "lost": float(lost[0]),
        "low": low,
        "high": high,
        "alone": alone,
        "constant": _is_constant(part, sample),
    }
    return plain(row)  # type: ignore[no-any-return]


def _share(split: Parts, index: int, sample: FormulaSample) -> float:
    """The share of a part in the variance of the score (of a product: of its log), averaged over
    data sets: its covariance with the score over that variance. Shares add up to 1; a negative one
    is of a part that holds against the others. Networks on which a part is not finite do not count.
    """
    values = [sample.scores(part) for part in split.parts]
    shares = []
    for dataset in values[0]:
        rows = np.stack([of_part[dataset] for of_part in values])
        with np.errstate(all="ignore"):
            rows = np.log(abs(rows)) if split.kind == "product" else rows
            rows = np.array(split.weights)[:, None] * rows
            rows = rows[:, np.isfinite(rows).all(0)]
            if not rows.size:  # the log of a factor of 0
                return math.nan
            deviations = rows - rows.mean(1, keepdims=True)
            total = deviations.sum(0)
            shares.append((deviations[index] @ total) / (total @ total))
    return float(np.mean(shares))


def _spared(split: Parts, order: Sequence[int], sample: FormulaSample, tau: float) -> list[int]:
    """The parts that can be left out together: each in turn, from the last in `order`, that leaves
    a formula which loses no more than `NEGLIGIBLE`."""
    spared: list[int] = []
    for index in order[:0:-1]:
        if _mean_tau(split.without([*spared, index]), sample) >= tau - NEGLIGIBLE:
            spared.append(index)
    return spared


def _mean_tau(formula: Expression, sample: FormulaSample) -> float:
    return float(np.mean([taus[0, 0] for taus in sample.taus([formula]).values()]))


def _is_constant(part: Expression, sample: FormulaSample) -> bool:
    """Whether a part is the same for all networks of each data set."""
    return all(_common_value(values) is not None for values in sample.scores(part).values())


def _common_value(values: Array) -> float | None:
    """The one value of an array [networks]; None where there are several, or it is not finite."""
    low, high = values.min(), values.max()
    same = (
        np.isfinite(low) and np.isfinite(high) and high - low <= CONSTANT * max(abs(low), abs(high))
    )
    return float(values[0]) if same else None


def _constant_features(formula: Expression, sample: FormulaSample) -> dict[str, float]:
    """The features that are the same for all networks, with their values."""
    constants = {}
    for feature in formula.features():
        value = _common_value(np.concatenate([*sample.scores(feature).values()]))
        if value is not None:
            constants[feature.text] = value
    return constants


def _reduced(split: Parts, constants: Mapping[str, float], sample: FormulaSample) -> str:
    """The formula with numbers in place of constant features, less its constant parts; of factors
    the sign remains, and one whose sign is not the same in all data sets stays."""
    parts = split.parts
    signs = {i: _signs(p, sample) for i, p in enumerate(parts) if _is_constant(p, sample)}
    if len(signs) == len(parts):
        return ""
    if split.kind == "product":
        signs = {i: of_part for i, of_part in signs.items() if len(of_part) == 1}
        sign = math.prod(next(iter(of_part)) for of_part in signs.values())
        if sign == 0:
            return ""
        split = replace(split, sign=split.sign * sign)
    return with_numbers(split.without(signs), constants).text


def _signs(part: Expression, sample: FormulaSample) -> set[float]:
    """The signs (-1, 0, 1) of a part that is the same for all networks of each data set."""
    return {float(np.sign(values[0])) for values in sample.scores(part).values()}
