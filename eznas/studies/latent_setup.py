"""What a latent search is given, checked and measured: networks, proxies, their unified score."""

import math
from collections.abc import Hashable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from eznas.benchmarks import Benchmark
from eznas.benchmarks.loading import from_accuracy_file
from eznas.benchmarks.loading import load as load_benchmark
from eznas.benchmarks.subsets import search_sample
from eznas.errors import InputError, unknown
from eznas.evaluation.executors import Phases
from eznas.formulas.terms import weighted_terms
from eznas.predictors.measurements import Measurements
from eznas.proxies.loading import load
from eznas.proxies.measured import ScoringSettings
from eznas.search.latent import weights as ways
from eznas.search.latent.autoencoder import ENCODERS
from eznas.search.latent.methods import METHODS, Problem, check_listed
from eznas.search.latent.scales import NormalScale, TermScale
from eznas.search.latent.unified import UnifiedScore, random_networks
from eznas.spaces import SPACES, Space

GIVEN_WEIGHTS = str | Mapping[str, float]
LEAST = {"train": 40, "rounds": 1, "starts": 1, "steps": 0, "top": 1, "seed": 0}


@dataclass(frozen=True)
class Options:
    """What is searched and how, as `eznas.latent_search` documents it; `labels`: a CSV file, or a
    number of networks of the benchmark, 0 for none."""

    space: str = "nasbench201"
    dataset: str = ""
    proxies: tuple[str, ...] = ()
    weights: GIVEN_WEIGHTS | None = None
    labels: str | int = 0
    train: int = 1000
    starts: int = 64
    steps: int = 150
    rounds: int = 5
    top: int = 10
    seed: int = 0
    encoder: str = "choices"
    joint: bool = False

    @property
    def way(self) -> GIVEN_WEIGHTS:
        """How proxies are weighed: unless that is said, by ridge with labels, else equally."""
        return self.weights if self.weights is not None else "ridge" if self.labels else "equal"


@dataclass(frozen=True, eq=False)
class Setting:
    """What stays the same when a search is repeated with other seeds.

    `scoring`, `scores` and `phases`: what `measurements` are made with. `proxies`: those that are
    measured, with `constants` where they are a formula's terms; `known`: the accuracies that are
    known, by network (see `accuracy_of`); `kind` of them, "" for none.
    """

    space: Space
    scoring: ScoringSettings
    scores: str | None
    phases: Phases
    measurements: Measurements
    proxies: tuple[str, ...]
    constants: tuple[float, ...] | None
    benchmark: Benchmark | None
    known: Mapping[str, float]
    kind: str

    def accuracy_of(self, architecture: str) -> float | None:
        """The accuracy of an architecture, or of one that is equal but for the order of its parts
        where it has none itself; None where that is not known either."""
        if architecture in self.known:
            return self.known[architecture]
        return self._known_by_name.get(self.space.names(architecture)) if self.known else None

    @cached_property
    def _known_by_name(self) -> dict[tuple[Hashable, ...], float]:
        return {self.space.names(a): accuracy for a, accuracy in self.known.items()}


def check(options: Options, method: str) -> None:
    """`InputError` for options that cannot be used, before anything is measured."""
    if options.space not in SPACES:
        raise unknown("space", options.space, SPACES)
    if method not in METHODS:
        raise unknown("method", method, METHODS)
    if not options.proxies:
        raise InputError("no proxies: expected one or more")
    if len(set(options.proxies)) < len(options.proxies):
        raise InputError(f"proxies {', '.join(options.proxies)}: expected each of them once")
    for name, least in LEAST.items():
        if getattr(options, name) < least:
            raise InputError(f"{name} {getattr(options, name)}: expected {least} or more")
    if isinstance(options.labels, int) and options.labels < 0:
        raise InputError(f"labels {options.labels}: expected 0 or more networks, or a file")
    if method == "exhaustive":
        check_listed(SPACES[options.space])
    if options.encoder not in ENCODERS:
        raise unknown("encoder", options.encoder, ENCODERS)
    if isinstance(options.way, str) and ways.needs_labels(options.way) and not options.labels:
        raise InputError(f"weights {options.way}: expected labels, networks with accuracies")
    if options.way == "terms" and len(options.proxies) != 1:
        raise InputError(f"weights terms: expected one formula, got {len(options.proxies)} proxies")
    is_way = isinstance(options.way, str) and options.way in ways.WAYS
    if not is_way:
        ways.given(options.way, options.proxies)
    for proxy in options.proxies:
        load(proxy)


def setting_of(
    options: Options, scoring: ScoringSettings, scores: str | None, phases: Phases
) -> Setting:
    """The setting of a search; `scores`: a CSV file of scores that are known. Raises `InputError`
    for labels, scores and a data set that cannot be used."""
    benchmark = _benchmark(options)
    measurements = Measurements(options.space, options.dataset, scoring, phases, scores)
    space, known = SPACES[options.space], dict[str, float]()
    if benchmark is not None:
        pairs = zip(benchmark.architectures, _accuracies(benchmark), strict=True)
        labelled = {a: accuracy for a, accuracy in pairs if not math.isnan(accuracy)}
        for architecture, accuracy in labelled.items():  # its own accuracy before a twin's
            known.setdefault(space.live_cell(architecture), accuracy)
        known |= {a: accuracy for a, accuracy in labelled.items() if a == space.live_cell(a)}
        _check_labels(options, benchmark)
    kind = benchmark.kind if benchmark is not None else ""
    made_with = (scoring, scores, phases)
    setting = Setting(space, *made_with, measurements, (), None, benchmark, known, kind)
    if isinstance(options.way, str) and ways.needs_labels(options.way):
        ways.check_labels(options.way, labelled_networks(options, setting)[1])
    return with_heads(setting, options)


def with_heads(setting: Setting, options: Options) -> Setting:
    """The setting with the proxies of other options of the same space. The terms of a formula are
    measured with its batches, unless others are set."""
    if options.way != "terms":
        return replace(setting, proxies=options.proxies, constants=None)
    proxy = load(options.proxies[0])
    terms, _ = weighted_terms(proxy.formula)
    if [*terms] == [proxy.formula.canonical]:  # no sum
        return replace(setting, proxies=options.proxies, constants=(1.0,))
    scoring = replace(
        setting.scoring,
        raw=setting.scoring.raw or proxy.raw_batch,
        sketch=setting.scoring.sketch or proxy.sketch_batch,
    )
    measurements = Measurements(
        setting.space.name, setting.measurements.dataset, scoring, setting.phases, setting.scores
    )
    texts = tuple(term.text for term in terms)
    return replace(
        setting, measurements=measurements, proxies=texts, constants=tuple(terms.values())
    )


def problem_of(options: Options, setting: Setting, phases: Phases) -> Problem:
    """The networks of one seed, measured, and the unified score by their quantiles. Raises
    `InputError` for labels that are too few, and where a network cannot be measured."""
    count = options.train if options.rounds == 1 else options.train // 2
    train = random_networks(setting.space, count, options.seed)
    measured = setting.measurements.scores(setting.proxies, train)
    scale = NormalScale() if setting.constants is None else TermScale(setting.constants)
    fitted_scale = scale.fit(measured)
    equal = ways.equal(len(setting.proxies))
    unified = UnifiedScore(setting.proxies, fitted_scale, equal, setting.measurements)
    weights = _weights(options, setting, unified, phases)
    unified = UnifiedScore(setting.proxies, fitted_scale, weights, setting.measurements)
    ascents = (options.starts, options.steps, options.rounds)
    cost = options.train + options.top
    return Problem(setting.space, unified, train, cost, options.top, options.seed, *ascents)


def labelled_networks(options: Options, setting: Setting) -> tuple[list[str], list[float]]:
    """The networks that weights are fitted to, with their accuracies: all of a file, or so many of
    the search part of the benchmark, without those whose accuracy is not known."""
    if not options.labels or setting.benchmark is None:
        return [], []
    benchmark = setting.benchmark
    if isinstance(options.labels, int):
        benchmark = search_sample(benchmark, options.labels, options.seed)
    pairs = zip(benchmark.architectures, _accuracies(benchmark), strict=True)
    labelled = [(setting.space.live_cell(a), value) for a, value in pairs if not math.isnan(value)]
    return [network for network, _ in labelled], [accuracy for _, accuracy in labelled]


def _weights(
    options: Options, setting: Setting, unified: UnifiedScore, phases: Phases
) -> ways.Weights:
    way = options.way
    if way == "terms":
        return ways.Weights("terms", np.ones(len(setting.proxies)))
    if way == "equal":
        return unified.weights
    if not (isinstance(way, str) and ways.needs_labels(way)):
        return ways.given(way, setting.proxies)
    networks, accuracies = labelled_networks(options, setting)
    columns = unified.columns(networks)
    progress = phases.phase(f"weights by {way} from {len(networks)} networks with accuracies", 0)
    return ways.fitted(str(way), columns, np.array(accuracies), options.seed, progress)


def _benchmark(options: Options) -> Benchmark | None:
    """The networks whose accuracies are known: those of a file or of the benchmark, None where
    the space has none here and none are needed."""
    datasets: Sequence[str] = [options.dataset] if options.dataset else [""]
    datasets = [SPACES[options.space].datasets[0] if d == "" else d for d in datasets]
    if options.labels and isinstance(options.labels, str):
        return from_accuracy_file(options.space, options.labels, datasets)
    if options.labels:
        return load_benchmark(options.space, datasets)
    with suppress(InputError):
        return load_benchmark(options.space, datasets)
    return None


def _check_labels(options: Options, benchmark: Benchmark) -> None:
    available = len(benchmark.split.search)
    if isinstance(options.labels, int) and options.labels > available:
        raise InputError(
            f"labels {options.labels}: expected a number up to {available}, the networks of the "
            "benchmark's search part, or a file"
        )


def _accuracies(benchmark: Benchmark) -> list[float]:
    [accuracies] = benchmark.accuracies.values()
    values: list[float] = accuracies.tolist()
    return values
