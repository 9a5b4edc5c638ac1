"""Yardsticks by folds: what is planted is found by the model that can see it, and by no other."""

from functools import partial

import numpy as np
import pytest

from eznas.benchmarks.benchmark import Benchmark, Dataset
from eznas.discovery.callbacks import NoCallback
from eznas.errors import InputError
from eznas.evaluation.feature_table import FeatureTable
from eznas.formulas.parser import parse
from eznas.metrics import bootstrap_weights, component_folds, interval, kendall
from eznas.predictors.randomised_trees import randomised_trees
from eznas.report.yardstick_tables import described_folds, folds_table, tables_of_folds
from eznas.studies import by_folds
from eznas.studies import yardsticks as study
from eznas.studies.records import build_records
from eznas.studies.yardsticks import yardsticks
from tests.evolution.made_up import MadeUp

NETWORKS, FOLDS = 300, 3
NAMES = tuple(f"network {i}" for i in range(NETWORKS))
FEATURES = [
    parse(f"{aggregation}_layers({statistic})")
    for aggregation in ("sum", "mean", "std", "max")
    for statistic in ("layer_params", "layer_flops")
]
COLUMNS = np.random.default_rng(1).normal(size=(len(FEATURES), NETWORKS))
COLUMNS = np.round(COLUMNS * 2**16) / 2**16  # which a table, of 33 binary digits, keeps as they are
DRAWS = dict(zip((f.text for f in FEATURES), COLUMNS, strict=True))
A, B = list(DRAWS.values())[:2]
COMPONENTS = np.arange(NETWORKS) // 2
PRODUCT, LARGER, SUM = A * B, np.maximum(A, B), A - 0.5 * B
VALUES = {text: 2**10 + 8 * draws for text, draws in DRAWS.items()}


class Planted(MadeUp):
    """Made-up features of more networks."""

    def _value(self, context, text, name):
        return self.planted[text][NAMES.index(name)]


def benchmark_of(accuracies):
    datasets = {f"data {i}": Dataset(32, 10) for i in range(len(accuracies))}
    by_dataset = dict(zip(datasets, map(np.array, accuracies), strict=True))
    return Benchmark("nasbench201", NAMES, datasets, by_dataset, COMPONENTS)


@pytest.fixture(autouse=True)
def few_trees(monkeypatch):
    monkeypatch.setitem(study.OTHERS, "randomised trees", partial(randomised_trees, trees=5))


@pytest.fixture
def rows_of(monkeypatch):
    """The rows of the study on made-up features and accuracies."""
    monkeypatch.setattr(by_folds, "REPLICATES", 20)
    monkeypatch.setattr(study, "FACTORS", len(FEATURES))
    monkeypatch.setitem(study.GREEDY, "linear", (2, 6, 7))

    def rows(*accuracies, values=VALUES, **keywords):
        table = FeatureTable([NAMES], Planted(values, faults=False))
        table.fill(FEATURES, NETWORKS)
        benchmark = benchmark_of(accuracies)
        monkeypatch.setattr(study, "load_benchmark", lambda _: benchmark)
        monkeypatch.setattr(study, "networks_of", lambda sample, part, networks: sample)
        monkeypatch.setattr(study, "candidate_features", lambda _: FEATURES)
        monkeypatch.setattr(study, "search_part_table", lambda *_: table)
        return yardsticks(folds=FOLDS, **keywords)

    return rows


def means(rows, language="all features"):
    """(model, terms) -> the mean tau, of rows of one number of labels."""
    of_language = [row for row in rows if row["language"] == language]
    assert len({row["labels"] for row in of_language}) == 1
    return {(row["model"], row["terms"]): row["mean"][0] for row in of_language}


def test_a_planted_interaction_is_found_by_its_own_form(rows_of):
    hinge = np.maximum(A, np.median(A)) + 1e-3 * B
    for accuracies, form in ((PRODUCT, "products"), (LARGER, "min and max"), (hinge, "hinges")):
        taus = means(rows_of(accuracies, labels=(None,)))
        linear = max(taus["linear", terms] for terms in (2, 6, 7))
        assert taus[form, 12] > max(0.8, linear + 0.1)
    product, plain = (means(rows_of(a, labels=(None,))) for a in (PRODUCT, SUM))
    assert max(product[form, 12] for form in ("min and max", "hinges")) < 0.6
    assert product["linear", 6] < 0.2 < 0.7 < product["kernel ridge", None]
    assert plain["linear", 2] > 0.98


def test_rows_are_those_of_languages_labels_and_models(rows_of):
    rows = rows_of(PRODUCT, SUM, labels=(40, None))
    models = [(row["model"], row["terms"]) for row in rows[: len(rows) // 4]]
    assert models == [
        *(("linear", n) for n in (2, 6, 7)),
        *((form, n) for form in ("products", "min and max", "hinges") for n in (12, 24)),
        ("randomised trees", None),
        ("kernel ridge", None),
    ]
    keys = [(row["language"], row["labels"]) for row in rows[:: len(models)]]
    languages = ("all features", "sizes and paths")
    assert keys == [(language, labels) for language in languages for labels in (40, 200)]
    for row in rows:
        assert (row["networks"], row["folds"], row["features"]) == (NETWORKS, FOLDS, len(FEATURES))
        assert list(row["tau"]) == ["data 0", "data 1"]
        by_dataset = [values[0] for values in row["tau"].values()]
        assert row["mean"][0] == pytest.approx(np.mean(by_dataset))
        assert all(low <= high for _, low, high in [*row["tau"].values(), row["mean"]])
        assert (row["nodes"] is None) == (row["terms"] is None)
    assert rows[0]["nodes"] == 9  # two weights times features of two nodes, and the sum
    assert rows == rows_of(PRODUCT, SUM, labels=(40, None, 200, 1000))


def test_held_out_networks_are_ranked_by_models_of_the_search_part(rows_of, monkeypatch):
    search, tested = np.arange(0, NETWORKS, 3), np.arange(1, 91, 3)
    monkeypatch.setattr(study, "FOLDS", FOLDS)
    monkeypatch.setattr(
        study, "held_out_networks", lambda b, count: b.subset(tested[:count], "held-out part")
    )

    def rows(**keywords):
        monkeypatch.setattr(study, "networks_of", lambda b, *_: b.subset(search, "search part"))
        return yardsticks(folds=FOLDS, labels=(None,), **keywords)

    rows_of(SUM)  # which puts the made-up features in place
    order = [*search, *tested]
    table = FeatureTable([[NAMES[i] for i in order]], Planted(VALUES, faults=False))
    table.fill(FEATURES, len(order))
    monkeypatch.setattr(study, "search_part_table", lambda *_: table)
    [linear] = [r for r in rows(held_out=30) if (r["model"], r["terms"]) == ("linear", 2)][:1]
    assert linear["mean"][0] > 0.98
    assert (linear["networks"], linear["labels"], linear["folds"]) == (30, len(search), None)
    assert "undefined" not in linear
    page, note = tables_of_folds({"by_folds": [linear]})
    assert "linear, 2 terms" in page
    assert "fitted to the search part of nasbench201, on 30 networks of its held-out part" in (
        described_folds({"by_folds": [linear]})
    )
    assert "folds" not in note
    for count, problem in ((1, "held_out"), (31, "held_out 31: nasbench201 has 30 to test on")):
        with pytest.raises(InputError, match=problem):
            rows(held_out=count)
    monkeypatch.setattr(study, "FOLDS", 5)
    with pytest.raises(InputError, match="folds 3: not with held_out"):
        rows(held_out=30)


def test_more_initialisations_are_more_rows_of_a_network(rows_of, monkeypatch):
    calls = []

    def recorded(x, y, networks):
        calls.append((x, y, networks))
        return networks[:, 0]

    rows_of(SUM)  # which puts the made-up features in place
    noisy = {t: v + 0.5 * np.cos(np.arange(NETWORKS)) for t, v in VALUES.items()}
    tables = {}
    for seed, values in enumerate((VALUES, noisy)):
        tables[seed] = FeatureTable([NAMES], Planted(values, faults=False))
        tables[seed].fill(FEATURES, NETWORKS)
    monkeypatch.setattr(
        study, "search_part_table", lambda _, config, *__: tables[config.measurement.seed]
    )
    monkeypatch.setattr(study, "OTHERS", {"recorded": recorded})
    rows = yardsticks(folds=FOLDS, labels=(None,), initialisations=2)
    x, y, networks = calls[0]
    fitted = component_folds(COMPONENTS, FOLDS) != 0
    count = fitted.sum()
    assert len(x) == len(y) == 2 * count
    assert np.array_equal(x[:count, 0], VALUES[FEATURES[0].text][fitted])
    assert np.allclose(x[count:, 0], noisy[FEATURES[0].text][fitted], atol=1e-3)
    assert np.array_equal(y[:count], y[count:])
    assert np.array_equal(networks[-(~fitted).sum() :, 0], VALUES[FEATURES[0].text][~fitted])
    [linear] = [r for r in rows if (r["model"], r["terms"]) == ("linear", 2)][:1]
    assert (linear["initialisations"], linear["labels"]) == (2, 200)
    assert linear["mean"][0] > 0.9
    assert "fitted to 2 initialisations of each" in described_folds({"by_folds": [linear]})
    assert "initialisations" not in described_folds({"by_folds": rows_of(SUM)})


def test_the_ranked_networks_are_of_components_that_were_not_fitted_to(rows_of, monkeypatch):
    calls = []

    def recorded(x, y, networks):
        calls.append((x[:, 0], networks[:, 0]))
        return networks[:, 0]

    monkeypatch.setattr(study, "OTHERS", {"recorded": recorded})
    component_of = dict(zip(VALUES[FEATURES[0].text].tolist(), COMPONENTS.tolist(), strict=True))
    [row, _] = [r for r in rows_of(SUM, labels=(None,)) if r["model"] == "recorded"]
    places = component_folds(COMPONENTS, FOLDS)
    ranked = []
    for fitted, all_networks in calls[:FOLDS]:
        others = all_networks[len(fitted) :].tolist()
        assert not {component_of[v] for v in others} & {component_of[v] for v in fitted.tolist()}
        ranked += others
    assert sorted(ranked) == sorted(component_of)
    weights = bootstrap_weights(COMPONENTS, 20)
    values = [
        np.mean(
            [
                kendall(
                    np.repeat(A[places == k], w[places == k]),
                    np.repeat(SUM[places == k], w[places == k]),
                )
                for k in range(FOLDS)
            ]
        )
        for w in (np.ones(NETWORKS, int), *weights)
    ]
    assert row["mean"] == pytest.approx([values[0], *interval(values[1:])])


def test_networks_without_a_score_are_counted(rows_of, monkeypatch):
    def partly(x, y, networks):
        return np.where(np.arange(len(networks)) == len(networks) - 1, np.nan, networks[:, 0])

    monkeypatch.setattr(study, "OTHERS", {"partly": partly})
    rows = [row for row in rows_of(SUM, labels=(40,)) if row["model"] == "partly"]
    assert {row["undefined"]["data 0"] for row in rows} == {FOLDS}
    assert all(row["mean"][0] > 0.5 for row in rows)


def test_features_that_say_nothing_give_no_formula(rows_of):
    same = dict.fromkeys(VALUES, np.ones(NETWORKS))
    rows = rows_of(SUM, labels=(None,), values=same)
    assert {row["mean"][0] for row in rows} == {None}
    assert "linear, 6 terms, all features (8), 200 labels: no score for 300 networks" in "\n".join(
        tables_of_folds({"by_folds": rows})
    )


def test_what_is_stored_is_not_measured_again(tmp_path, monkeypatch, forbid_measuring):
    """From networks that are measured to rows, a table and a section of a page."""
    monkeypatch.setenv("EZNAS_DATA", str(tmp_path))
    features = [parse(text) for text in ("params", "log(params)", "sum_layers(layer_flops)")]
    monkeypatch.setattr("eznas.studies.records.usual_formulas", lambda _: features)
    monkeypatch.setattr(study, "candidate_features", lambda _: features)
    build_records(["nasbench201"], networks=12)
    forbid_measuring()
    rows = yardsticks(networks=12, folds=2, labels=(8,), watcher=NoCallback())
    assert {(row["space"], row["networks"], row["labels"]) for row in rows} == {
        ("nasbench201", 12, 6)
    }
    tables = folds_table(rows, 100).renderables
    assert len(tables) == 3  # one for each language, and a note
    [title, table] = tables[0].renderables
    assert "by 2 folds of 12 networks of the search part of nasbench201" in str(title)
    headings = [str(column.header) for column in table.columns]
    assert headings == ["model", "nodes", *rows[0]["tau"], "mean [95 %]"]
    page = "\n".join(tables_of_folds({"by_folds": rows}))
    assert page.count("\n| ") >= len(rows)


def test_bad_arguments():
    for bad, expected in (
        ({"folds": 1}, "folds"),
        ({"labels": (1,)}, "labels"),
        ({"labels": ()}, "labels: expected one"),
        ({"networks": 8, "folds": 5}, "each needs 2 networks"),
        ({"space": "nasbench2"}, "nasbench2"),
    ):
        with pytest.raises(InputError, match=expected):
            yardsticks(**bad)
