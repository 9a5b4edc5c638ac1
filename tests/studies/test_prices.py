"""What predictors cost: training, proxies, queries, and the labels of their champions."""

import pytest

from eznas.benchmarks.costs import training_seconds
from eznas.benchmarks.loading import without_accuracies
from eznas.evaluation.executors import NoPhases
from eznas.predictors.base import Predictor
from eznas.predictors.named import CHAMPION
from eznas.proxies.measured import ScoringSettings
from eznas.studies import prices
from eznas.studies.prices import Price, add_costs, proxy_seconds
from eznas.studies.trials import Job
from tests.predictors.made_up_networks import NETWORKS, curves

POOL = without_accuracies("nasbench201", NETWORKS[:6], ["cifar10"])


@pytest.mark.parametrize("dataset", ["cifar10", "cifar10@16"])
def test_the_price_of_training_where_seconds_are_known(dataset):
    price, times = (
        Price.of("nasbench201", dataset, None),
        training_seconds("nasbench201", "cifar10"),
    )
    assert (price.unit, price.total_epochs) == ("seconds", 200)
    assert price.epoch_seconds == pytest.approx(times.seconds.mean() / 200)
    assert price.dearest == pytest.approx(times.seconds.mean())


def test_without_seconds_queries_cost_epochs():
    price = Price.of("nasbench-macro", "cifar10", None)
    assert (price.unit, price.epoch_seconds, price.total_epochs) == ("epochs", None, None)
    assert price.dearest == 1
    assert Price.of("nasbench-macro", "cifar10", curves(total=30)).dearest == 30


def made_up_row(predictor, epochs=0):
    return {"predictor": predictor, "epochs": epochs, "predict_seconds": 0.5}


def costs(features, *, epochs=0, per_epoch=10.0, regressor="linear"):
    rows, job = [made_up_row("mine", epochs)], Job("mine", Predictor(features, regressor))
    seconds = {"zen": 2.0, "params": 1.0, CHAMPION: 4.0}
    add_costs(rows, [job], seconds, per_epoch, "nasbench201")
    return rows[0]


def test_a_query_costs_epochs_proxies_and_the_prediction():
    row = costs(["curve", "proxies:zen,params", "encoding", "zen"], epochs=3)
    assert row["proxy_seconds"] == 3
    assert row["query"] == 3 * 10 + 3 + 0.5
    assert (row["regressor"], row["champion_labels"]) == ("linear", 0)


def test_without_seconds_a_query_costs_epochs_alone():
    assert costs(["curve", "zen"], epochs=3, per_epoch=None)["query"] == 3
    assert costs(["zen"], per_epoch=None)["query"] == 0


def test_a_champion_has_seen_labels_of_its_own_space():
    rows = [made_up_row("mine")]
    job = Job("mine", Predictor([CHAMPION, "zen"], None))
    add_costs(rows, [job], {CHAMPION: 1.0, "zen": 1.0}, None, "naap440")
    assert rows[0]["champion_labels"] == 0
    row = costs([CHAMPION, "zen"], regressor=None)
    assert (row["champion_labels"], row["regressor"]) == (340, "")


def test_labels_of_an_old_file_are_not_known(monkeypatch, tmp_path):
    content = prices.describe(CHAMPION)
    unknown = content.model_copy(update={"labels": None})
    monkeypatch.setattr(prices, "describe", {"old.json": unknown, CHAMPION: content}.get)
    rows = [made_up_row("mine")]
    job = Job("mine", Predictor(["proxies:old.json", CHAMPION], "linear"))
    add_costs(rows, [job], {"old.json": 1.0, CHAMPION: 1.0}, None, "nasbench201")
    assert rows[0]["champion_labels"] is None


def test_published_proxies_are_not_described(monkeypatch):
    """That takes a while, and they have seen no labels."""
    monkeypatch.setattr(prices, "describe", None)
    assert costs(["zen", "params"])["champion_labels"] == 0


def test_seconds_of_each_proxy_by_itself_and_how_far_timing_is(monkeypatch):
    calls = []

    class Watcher:
        def phase(self, name, networks):
            calls.append(name)
            return lambda done, total: calls.append((done, total))

    def seconds_each(proxies, pool, settings, networks):
        assert (pool, networks) == (POOL, prices.TIMED)
        return [float(len(p.name)) for p in proxies]

    monkeypatch.setattr(prices, "seconds_each", seconds_each)
    times = proxy_seconds(["zen", "params"], POOL, ScoringSettings(), Watcher())
    assert times == {"zen": 3, "params": 6}
    assert calls == ["timing proxies, 2 in all", (1, 2), (2, 2)]
    assert proxy_seconds([], POOL, ScoringSettings(), NoPhases()) == {}
