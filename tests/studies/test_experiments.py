"""Studies: scores are those of proxies by themselves, and what is said of them can be recounted."""

import time

import numpy as np
import pytest
from eznas.ground import Ground, ground, joined, sampled

import eznas.evaluation.evaluator
from eznas.benchmarks.published import Published
from eznas.benchmarks.splits import sample as drawn
from eznas.discovery.callbacks import NoCallback
from eznas.errors import InputError
from eznas.evaluation.feature_table import FeatureTable
from eznas.evolution.fitness import Task
from eznas.formulas.parser import parse
from eznas.metrics import kendall, spearman
from eznas.predictors import randomised_trees as trees
from eznas.proxies.loading import resolve
from eznas.proxies.proxy import RAW_BATCH, SKETCH_BATCH, Proxy
from eznas.spaces import SPACES
from eznas.studies import Scored, StudySettings, agreement, blend, score_all, seconds_each
from eznas.studies import experiments as studies
from tests.evolution.made_up import NAMES, MadeUp, accuracies

SMALL = "ImageNet16-120"  # the smallest images
HOW = StudySettings(raw=2, sketch=4)
NAN, INF = np.nan, np.inf


@pytest.fixture(scope="module")
def sample() -> Ground:
    return sampled(ground("nasbench201", [SMALL]), "connected", 6, 0)


@pytest.fixture
def unmeasured(monkeypatch):
    """From now on nothing can be measured."""

    def fails(*_):
        raise AssertionError("a network was measured")

    def begin():
        monkeypatch.setattr(eznas.evaluation.evaluator, "measure", fails)

    return begin


class Tells(NoCallback):
    def __init__(self):
        self.told = []

    def phase(self, name, networks):
        self.told.append((name, networks))
        return None


def test_a_proxys_own_batches_unless_others_are_asked_for():
    own = Proxy("mine", parse("params"), raw_batch=3, sketch_batch=5)
    assert StudySettings().batches(own) == (3, 5)
    assert StudySettings(sketch=7).batches(own) == (3, 7)
    assert StudySettings(raw=2).batches(own) == (2, 5)
    assert StudySettings().batches(resolve("params")) == (RAW_BATCH, SKETCH_BATCH)


def test_scores_are_those_of_each_network_by_itself(sample):
    """Each proxy under its own batches, under every seed; and the sizes beside."""
    proxies = [
        Proxy("first", parse("logdet(sum_all_layers(data_relu_agreement))"), 2, 4),
        Proxy("second", parse("sum_layers(sum_abs(weight))"), 2, 3),
        Proxy("third", parse("log(params)"), 2, 4),
    ]
    watcher = Tells()
    scored = score_all(proxies, sample, StudySettings(seeds=(3, 4)), watcher)
    assert scored.names == ["first", "second", "third"]
    assert scored.seeds == (3, 4)
    assert list(scored.scores) == [SMALL]
    assert watcher.told == [
        (f"seed {seed}, {images} images", 6) for images in (4, 3) for seed in (3, 4)
    ]
    [setting] = sample.distinct_settings()
    for at, proxy in enumerate(proxies):
        for number, seed in enumerate((3, 4)):
            conditions = sample.conditions(
                raw=2, sketch=proxy.sketch_batch, seed=seed, images=None
            )[0]
            models = [SPACES["nasbench201"].build(a, setting.classes) for a in sample.architectures]
            alone = [proxy.measured(m, conditions).value for m in models]
            np.testing.assert_allclose(
                scored.scores[SMALL][number, at], alone, rtol=1e-5
            )  # alone, float32 rounds otherwise
    np.testing.assert_array_equal(scored.means()[SMALL], scored.scores[SMALL].mean(0))
    assert (scored.scores[SMALL][0, :2] != scored.scores[SMALL][1, :2]).any(1).all()
    sizes = [resolve(name).formula for name in ("live_params", "flops")]
    with_team = sample.workers(sample.conditions(raw=2, sketch=2, seed=0, images=None), 1)
    np.testing.assert_array_equal(scored.sizes, sample.scores(sizes, with_team)[SMALL])


def test_records_hold_what_was_measured(sample, tmp_path, unmeasured):
    proxies = [resolve("naswot"), resolve("params")]
    how = StudySettings(seeds=(0, 1), raw=2, sketch=4, records=str(tmp_path / "records"))
    plain = score_all(proxies, sample, HOW, NoCallback()).scores[SMALL]
    first = score_all(proxies, sample, how, NoCallback()).scores[SMALL]
    np.testing.assert_allclose(first[0], plain[0], rtol=1e-8)
    file = tmp_path / "records" / "measures.csv.gz"
    before = file.read_bytes()
    unmeasured()
    again = score_all(proxies[::-1], sample, how, NoCallback())
    np.testing.assert_array_equal(again.scores[SMALL][:, ::-1], first)
    assert file.read_bytes() == before
    few = sample.part(np.arange(2, 5), "few")
    some = score_all(
        proxies[1:], few, StudySettings(raw=2, sketch=4, records=how.records), NoCallback()
    )
    np.testing.assert_array_equal(some.scores[SMALL][0, 0], first[0, 1, 2:5])
    with pytest.raises(AssertionError, match="a network was measured"):
        score_all(
            [resolve("naswot")],
            sample,
            StudySettings(raw=2, sketch=5, records=how.records),
            NoCallback(),
        )


def test_records_are_free_again_after_a_failure(sample, tmp_path, unmeasured):
    how = StudySettings(raw=2, sketch=4, records=str(tmp_path))
    unmeasured()
    for _ in range(2):
        with pytest.raises(AssertionError, match="a network was measured"):
            score_all([resolve("params")], sample, how, NoCallback())


def test_records_are_claimed_before_anything_is_measured(sample, tmp_path, unmeasured):
    (tmp_path / "file").write_text("")
    unmeasured()
    with pytest.raises(InputError, match="cannot write"):
        score_all(
            [resolve("params")], sample, StudySettings(records=str(tmp_path / "file")), NoCallback()
        )


def test_seconds_are_those_of_a_network_under_the_conditions_of_the_study(monkeypatch):
    whole = sampled(ground("nasbench201"), "all", 5, 0)
    seen = []

    def slow(self, model, conditions):
        size, sketch = conditions.size, conditions.sketch
        seen.append((self.name, size, sketch, conditions.initialisation))
        time.sleep(0.02)

    monkeypatch.setattr(Proxy, "measured", slow)
    proxies = [Proxy("first", parse("params"), 2, 6), Proxy("second", parse("params"), 2, 7)]
    first, second = seconds_each(proxies, whole, StudySettings(), 3)
    assert min(first, second) >= 0.02
    assert seen == [("first", 32, 6, "kaiming")] * 3 + [("second", 32, 7, "kaiming")] * 3
    seen.clear()
    assert len(seconds_each(proxies[:1], whole, StudySettings(sketch=9), 30)) == 1
    assert seen == [("first", 32, 9, "kaiming")] * 5  # no more than there are


def made_up(names, networks=40, seeds=(0,), datasets=("cifar10", "cifar100")):
    """Scores without networks: noisy accuracies."""
    random = np.random.default_rng(0)
    part = ground("nasbench201", datasets).part(np.arange(networks) * 300, "made up")
    scores = {}
    for dataset, target in part.accuracies.items():
        noise = random.normal(size=(len(seeds), len(names), networks)) * 20
        scores[dataset] = target + noise
    return Scored(part, list(names), tuple(seeds), scores, np.empty((2, networks)))


@pytest.fixture
def given(monkeypatch):
    """`score_all` gives these scores."""

    def give(scored):
        monkeypatch.setattr(studies, "score_all", lambda *_: scored)
        return scored

    return give


def agreed(scored, columns):
    published = Published(scored.sample.architectures[::-1], columns)
    return agreement(published, [], scored.sample, HOW, NoCallback())


def test_agreement_is_rho_with_each_column(given):
    scored = given(made_up(["naswot", "params"]))
    ours = {d: s[0] for d, s in scored.scores.items()}
    columns = {
        "cifar10_nwot": np.exp(ours["cifar10"][0] / 10)[::-1],
        "cifar100_naswot": -ours["cifar100"][0][::-1],
        "params": ours["cifar10"][1][::-1],
        "synflow": np.zeros(40),
    }
    rows = {(r["proxy"], r["dataset"]): r for r in agreed(scored, columns)}
    assert {k: r["published"] for k, r in rows.items()} == {
        ("naswot", "cifar10"): "cifar10_nwot",
        ("naswot", "cifar100"): "cifar100_naswot",
        ("params", "cifar10"): "params",
        ("params", "cifar100"): "params",
    }
    assert [list(r) for r in rows.values()] == [
        ["proxy", "dataset", "published", "networks", "rho", "between_seeds"]
    ] * 4
    assert rows["naswot", "cifar10"]["rho"] == 1
    assert rows["naswot", "cifar100"]["rho"] == -1
    expected = spearman(ours["cifar100"][1], ours["cifar10"][1])
    assert rows["params", "cifar100"]["rho"] == pytest.approx(expected)
    assert all((r["networks"], r["between_seeds"]) == (40, None) for r in rows.values())


def test_agreement_leaves_out_what_they_could_not_score(given):
    scored = given(made_up(["naswot"], datasets=["cifar10"]))
    theirs = scored.scores["cifar10"][0, 0].copy()
    theirs[[3, 30]] = NAN
    published = Published(scored.sample.architectures[1:], {"naswot": theirs[1:]})
    [row] = agreement(published, [], scored.sample, HOW, NoCallback())
    assert (row["networks"], row["rho"]) == (37, 1)
    [row] = agreed(scored, {"naswot": np.full(40, NAN)})
    assert (row["networks"], row["rho"]) == (0, None)


def test_agreement_of_several_initialisations(given):
    scored = given(made_up(["naswot"], seeds=(0, 1, 2), datasets=["cifar10"]))
    a, b, c = scored.scores["cifar10"][:, 0]
    theirs = scored.sample.accuracies["cifar10"]
    [row] = agreed(scored, {"naswot": theirs[::-1]})
    assert row["rho"] == pytest.approx(np.mean([spearman(s, theirs) for s in (a, b, c)]))
    between = np.mean([spearman(a, b), spearman(a, c), spearman(b, c)])
    assert row["between_seeds"] == pytest.approx(between)
    a[5] = NAN  # of ours
    [row] = agreed(scored, {"naswot": theirs[::-1]})
    assert (row["rho"], row["between_seeds"]) == (None, None)


def test_a_blend_has_its_parts_at_both_ends():
    scored = made_up(["one", "other", "third"], seeds=(0, 1))
    for scores in scored.scores.values():
        scores[:, :2, :3] = -INF
        scores[:, 1] *= -1e6
        scores[:, 1, :3] = -INF
    weights = [0, 0.25, 0.5, 1]
    found = blend(scored, 0, 1, weights)
    assert list(found) == list(scored.scores)
    for dataset, taus in found.items():
        target = scored.sample.accuracies[dataset]
        one, other, _ = scored.means()[dataset]
        assert taus[0] == kendall(other, target)
        assert taus[-1] == kendall(one, target)
        assert taus[0] < 0 < taus[-1]
        parts = [p / np.abs(p[3:]).max() for p in (one, other)]
        for weight, tau in zip(weights[1:-1], taus[1:-1], strict=True):
            assert tau == kendall(weight * parts[0] + (1 - weight) * parts[1], target)
    swapped = blend(scored, 1, 0, [1 - w for w in weights])
    assert swapped == found


def test_a_blend_is_lowest_where_a_part_is():
    scored = made_up(["one", "other"], datasets=["cifar10"])
    scored.scores["cifar10"][0, 0, 7] = -INF
    target = scored.sample.accuracies["cifar10"]
    other = scored.scores["cifar10"][0, 1].copy()
    other[7] = -INF
    assert blend(scored, 0, 1, [0.0])["cifar10"] == [kendall(other, target)]


@pytest.mark.parametrize("first", [0, 1])
def test_a_blend_is_undefined_where_a_part_is(first):
    """Not lowest: an undefined score makes tau undefined."""
    scored = made_up(["one", "other"], datasets=["cifar10"])
    scored.scores["cifar10"][0, 0, 7] = NAN
    scored.scores["cifar10"][0, 1, 7:9] = -INF
    assert blend(scored, first, 1 - first, [0, 0.5, 1])["cifar10"] == [None] * 3
    scored.scores["cifar10"][0, 0] = NAN
    assert blend(scored, first, 1 - first, [0, 0.5, 1])["cifar10"] == [None] * 3


@pytest.mark.parametrize("value", [0.0, -INF])
def test_a_blend_with_nothing(value):
    scored = made_up(["one", "other"], datasets=["cifar10"])
    scored.scores["cifar10"][0, 1] = value
    tau = kendall(scored.scores["cifar10"][0, 0], scored.sample.accuracies["cifar10"])
    expected = [None, tau, tau] if value == 0 else [None] * 3
    assert blend(scored, 0, 1, [0, 0.5, 1])["cifar10"] == expected


LANGUAGES = ("tensor words", "sizes and paths", "all words")
PARTED = ("components", "networks")
MODELS = ("greedy", "greedy with products", "randomised trees")


@pytest.fixture(scope="module")
def words():
    """A study of few words on few networks: its rows, its yardsticks, and the two samples."""
    whole = ground("nasbench201", [SMALL])
    parts = (sampled(whole, "search", 24, 0), sampled(whole, "held-out", 16, 0))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(studies, "study", lambda _: parts)
        patch.setattr(studies, "ground", lambda _: whole)
        patch.setattr(studies, "TENSORS", ("weight",))
        patch.setattr(studies, "SIZES", ("params", "layer_flops"))
        patch.setattr(studies, "PATHS", ("paths_params_mean",))
        patch.setattr(trees, "TREES", 20)
        rows, yardsticks = studies.words("nasbench201", StudySettings(), (2, 2), NoCallback())
    return rows, yardsticks, *parts


def scores_of(texts, part):
    team = part.workers(part.conditions(raw=2, sketch=2, seed=0, images=None), 1)
    return part.scores([parse(t) for t in texts], team)[SMALL]


def test_words_are_told_by_tau_on_the_networks_that_are_fitted_to(words):
    rows, _, fitted, _ = words
    assert {len(r) for r in rows} == {3}
    texts = [r["word"] for r in rows]
    assert len(set(texts)) == len(texts) > 100
    assert {s for t in texts for s in parse(t).statistics()} == {
        *("weight", "params", "layer_flops", "layer_params", "paths_params_mean")
    }
    some = rows[::7]
    expected = scores_of([r["word"] for r in some], fitted)
    for row, scores in zip(some, expected, strict=True):
        tau = kendall(scores, fitted.accuracies[SMALL])
        assert row["tau"][SMALL] == (None if np.isnan(tau) else pytest.approx(tau, abs=0.02))
        assert 0 <= row["coverage"] <= 1


def test_an_undefined_word_says_so():
    table = FeatureTable(NAMES, MadeUp({"params": np.full(len(NAMES), 5.0)}, faults=False))
    word = parse("params")
    table.fill([word], len(NAMES))
    row = studies._word(word, table, [Task("one", 0, accuracies())], len(NAMES))
    assert row == {"word": "params", "tau": {"one": None}, "coverage": 1.0}


def test_yardsticks_are_rows_of_models_languages_and_partings(words):
    rows, yardsticks, *_ = words
    assert [(y["parted"], y["language"], y["model"]) for y in yardsticks] == [
        (parted, language, model) for parted in PARTED for language in LANGUAGES for model in MODELS
    ]
    keys = {"parted", "language", "words", "model", "formula", "networks", "tau"}
    assert all(set(y) == keys for y in yardsticks)
    assert {y["networks"] for y in yardsticks} == {16}
    assert all(y["tau"][SMALL][1] <= y["tau"][SMALL][2] for y in yardsticks)
    every = [set(parse(r["word"]).statistics()) for r in rows]
    sizes, paths, tensors = {"params", "layer_flops"}, {"paths_params_mean"}, {"weight"}
    counts = {
        "tensor words": sum(not s & paths for s in every),
        "sizes and paths": sum(s <= sizes | paths for s in every),
        "all words": len(every),
    }
    assert {y["language"]: y["words"] for y in yardsticks} == counts
    for row in yardsticks:
        if row["model"] == "randomised trees":
            assert row["formula"] == ""
            continue
        used = set(parse(row["formula"]).statistics())
        assert used
        assert not used & (paths if row["language"] == "tensor words" else set())
        assert not used & (tensors if row["language"] == "sizes and paths" else set())
    with_products = [" * (" in y["formula"] for y in yardsticks]
    assert with_products == [m == "greedy with products" for m in MODELS] * 6


def test_yardsticks_are_judged_on_other_networks(words):
    """On those of the second sample; and, parted by lot, on the rest of both."""
    _, yardsticks, fitted, judged = words
    both = joined(fitted, judged)
    lot = drawn(np.arange(40), 40, 0)
    assert 0 < sum(lot[24:] < 24) < 16
    parts = {"components": judged, "networks": both.part(lot[24:], "lot")}
    for parted, part in parts.items():
        greedy = [y for y in yardsticks if y["parted"] == parted and y["formula"]]
        assert len(greedy) == 6
        scores = scores_of([y["formula"] for y in greedy], part)
        for row, own in zip(greedy, scores, strict=True):
            tau = kendall(own, part.accuracies[SMALL])
            assert row["tau"][SMALL][0] == pytest.approx(tau, abs=0.02)
