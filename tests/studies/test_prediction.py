"""Predictions for a user's networks: the files that are read, samples, curves, and bad input."""

import gzip

import numpy as np
import pytest

from eznas.benchmarks.curves import Curves, store_curves
from eznas.benchmarks.store import Origin
from eznas.errors import InputError
from eznas.predictors import measurements
from eznas.proxies.measured import Scored
from eznas.spaces import SPACES
from eznas.studies.prediction import SAMPLED, joined, predict

MACRO = SPACES["nasbench-macro"]
NETWORKS = MACRO.sample(40, seed=0)
NAAP = SPACES["naap440"].architectures()
FITTED, OTHERS = NETWORKS[:30], NETWORKS[30:]


def accuracy(architecture):
    """What made-up accuracies follow: the sum of the digits."""
    return 50.0 + sum(map(int, architecture))


def write(name, lines):
    with open(name, "w") as file:
        file.writelines(f"{line}\n" for line in lines)
    return name


def labelled(networks, scale=1.0):
    return ["architecture,accuracy", *(f"{a},{accuracy(a) * scale!r}" for a in networks)]


@pytest.fixture(autouse=True)
def train(folder, monkeypatch):
    """TRAIN.csv, and no curves that were imported."""
    monkeypatch.setenv("EZNAS_DATA", str(folder / "cache"))
    return write("train.csv", labelled(FITTED))


@pytest.fixture
def scores(monkeypatch):
    """Scores without measuring: the sum of an architecture's digits; of gradsign one is lowest, one
    undefined. Returns the architectures that each call is to score."""
    calls = []

    def score_all(proxies, benchmark, settings, phases):
        calls.append(benchmark.architectures)
        values = np.array([[accuracy(a) for a in benchmark.architectures]] * len(proxies))
        if proxies[0].name == "gradsign":
            values[:, :2] = -np.inf, np.nan
        by_dataset = dict.fromkeys(benchmark.accuracies, values[None])
        return Scored(benchmark, [p.name for p in proxies], (0,), by_dataset, np.empty((2, 0)))

    monkeypatch.setattr(measurements, "score_all", score_all)
    return calls


def predicted(predictor="linear", candidates=None, **keywords):
    """Architecture -> prediction, the best first."""
    rows = predict(predictor, "train.csv", candidates, **{"space": MACRO.name} | keywords)
    assert all(row.keys() == {"architecture", "prediction"} for row in rows)
    return {row["architecture"]: row["prediction"] for row in rows}


def test_the_best_come_first_in_the_unit_of_the_accuracies():
    values = predicted("linear", write("others.txt", OTHERS))
    assert set(values) == set(OTHERS)
    assert list(values.values()) == sorted(values.values(), reverse=True)
    errors = [abs(value - accuracy(a)) for a, value in values.items()]
    assert max(errors) < 2


def test_fractions_stay_fractions(train):
    percent = predicted("linear", write("others.txt", OTHERS))
    write(train, labelled(FITTED, scale=0.01))
    fractions = predicted("linear", "others.txt")
    assert list(fractions) == list(percent)
    assert list(fractions.values()) == pytest.approx([v / 100 for v in percent.values()])


@pytest.mark.parametrize(
    "lines",
    [
        ["", f"  {OTHERS[0]}  ", OTHERS[1], OTHERS[0], ""],
        ["note,architecture", f"a,{OTHERS[0]}", "", f"b,{OTHERS[1]}", f"c,{OTHERS[0]}"],
        ["note, architecture", f"a, {OTHERS[0]}", f'"b, c", {OTHERS[1]}'],
        ['"arch","val_accuracy"', f"{OTHERS[0]},1", f"{OTHERS[1]},2"],
    ],
    ids=["lines", "column", "blanks", "quotes"],
)
def test_candidates_are_lines_or_a_column(lines):
    assert set(predicted("linear", write("candidates.csv", lines))) == set(OTHERS[:2])


def test_files_may_be_gzipped():
    for name, lines in (("train.csv", labelled(FITTED)), ("others.txt", OTHERS)):
        with gzip.open(f"{name}.gz", "wt") as file:
            file.writelines(f"{line}\n" for line in lines)
    rows = predict("linear", "train.csv.gz", "others.txt.gz", space=MACRO.name)
    assert {row["architecture"] for row in rows} == set(OTHERS)


def test_runs_of_one_network_are_averaged(train):
    write(train, [*labelled(FITTED[:5]), f"{FITTED[0]},{accuracy(FITTED[0]) + 2}"])
    twice = predicted("linear", write("others.txt", OTHERS))
    write(train, [*labelled(FITTED[1:5]), f"{FITTED[0]},{accuracy(FITTED[0]) + 1}"])
    assert predicted("linear", "others.txt") == pytest.approx(twice)


def test_a_single_label_predicts_itself(train):
    write(train, labelled(FITTED[:1]))
    values = predicted("extra_trees", write("others.txt", OTHERS))
    assert set(values.values()) == {accuracy(FITTED[0])}


# Samples


def test_a_sample_has_no_network_that_was_fitted_to():
    values = predicted(sample=7)
    assert len(values) == 7
    assert not set(values) & set(FITTED)
    assert set(values) == set(predicted(sample=7))
    assert set(values) != set(predicted(sample=7, seed=1))
    assert len(predicted()) == SAMPLED


def test_a_small_space_is_predicted_whole(train):
    write(train, ["architecture,accuracy", *(f"{a},{i}" for i, a in enumerate(NAAP[:40]))])
    assert set(predicted(space="naap440")) == set(NAAP[40:])
    assert set(predicted(space="naap440", sample=399)) < set(NAAP[40:])
    message = "sample 401: space naap440 has 400 networks that are not fitted to"
    with pytest.raises(InputError, match=message):
        predicted(space="naap440", sample=401)


# Proxies


def test_a_proxy_by_itself_needs_no_fit_and_leaves_undefined_scores_last(scores):
    values = predicted("gradsign", write("others.txt", OTHERS))
    assert list(values)[-2:] == list(OTHERS[:2])  # lowest, then undefined
    assert list(values.values())[-2:] == [None, None]
    assert list(values.values())[:-2] == sorted(map(accuracy, OTHERS[2:]), reverse=True)
    assert scores == [OTHERS]


@pytest.mark.usefixtures("scores")
def test_proxies_and_a_champion_take_their_places():
    values = predicted("champion_residual", write("others.txt", OTHERS), proxies=["params", "zen"])
    errors = [abs(value - accuracy(a)) for a, value in values.items()]
    assert max(errors) < 2
    with pytest.raises(InputError, match="unknown proxy 'nasbench201-z'"):
        predicted("champion_residual", "others.txt", champion="nasbench201-z")


def test_files_of_scores_must_have_every_network(train):
    """What is not in them would be predicted from nothing."""
    header, scored = "architecture,naswot", [*FITTED, *OTHERS[:6]]
    write("scores.csv", [header, *(f"{a},{accuracy(a)}" for a in scored)])
    write("some.txt", OTHERS[:6])
    write("others.txt", OTHERS)
    reading = {"linear[table:scores.csv]": {}, "linear[naswot]": {"scores": "scores.csv"}}
    for name, options in reading.items():
        assert set(predicted(name, "some.txt", **options)) == set(OTHERS[:6])
        assert set(predicted(name, **options)) == set(OTHERS[:6])  # the sample is of these
        message = f"others.txt: 4 of 10 networks are not in the file of scores.*{OTHERS[6]}"
        with pytest.raises(InputError, match=message):
            predicted(name, "others.txt", **options)
        with pytest.raises(InputError, match="sample 7: the files of scores have 6 networks"):
            predicted(name, sample=7, **options)
    write(train, labelled(NETWORKS))
    with pytest.raises(InputError, match=r"train.csv: 4 of 40 networks are not in the file"):
        predicted("linear[naswot]", "some.txt", scores="scores.csv")
    assert len(predicted("linear", "others.txt", scores="scores.csv")) == len(OTHERS)


@pytest.mark.parametrize(
    "keywords", [{"epochs": 2}, {"total_epochs": 9}, {"proxies": ["zen"]}, {"champion": "zen"}]
)
def test_what_a_predictor_does_not_read_is_not_silently_left_aside(keywords):
    with pytest.raises(InputError, match="predictor linear: "):
        predicted("linear", write("others.txt", OTHERS), **keywords)


def test_seeds_change_what_is_drawn_at_random_alone():
    write("others.txt", OTHERS)
    for name, changes in (("extra_trees", True), ("random_forest", True), ("linear", False)):
        one, same, other = (predicted(name, "others.txt", seed=seed) for seed in (0, 0, 1))
        assert one == same
        assert (one != other) == changes


# Learning curves


def with_curves(networks, epochs, what="accuracy", accuracies=True):
    header = ["architecture", *(["accuracy"] * accuracies), *(f"{what}_{e}" for e in epochs)]
    for a in networks:
        points = [accuracy(a) - 40 / e if what == "accuracy" else 70 / accuracy(a) for e in epochs]
        yield a, [*([accuracy(a)] * accuracies), *points]
    yield None, header


def curve_file(name, *arguments, **keywords):
    *rows, (_, header) = with_curves(*arguments, **keywords)
    lines = [",".join(header), *(",".join([a, *map(str, values)]) for a, values in rows)]
    return write(name, lines)


def test_curves_stand_in_columns_of_both_files(train):
    curve_file(train, FITTED, range(1, 10))
    curve_file("others.csv", OTHERS, range(1, 4), accuracies=False)
    last = predicted("last_value", "others.csv")
    assert last == pytest.approx({a: accuracy(a) - 40 / 3 for a in OTHERS})
    early = predicted("last_value", "others.csv", epochs=2)
    assert early == pytest.approx({a: accuracy(a) - 20 for a in OTHERS})
    whole = predicted("extrapolated", "others.csv")
    errors = [abs(value - (accuracy(a) - 40 / 9)) for a, value in whole.items()]
    assert max(errors) < abs(40 / 3 - 40 / 9)  # nearer to the end of the curves than the last value


def test_losses_alone_are_enough_of_candidates(train):
    curve_file(train, FITTED, (1, 2, 3), what="loss")
    curve_file("others.csv", OTHERS, (1, 2), what="loss", accuracies=False)
    values = predicted("sotl_e", "others.csv")
    assert values == pytest.approx({a: -70 / accuracy(a) for a in OTHERS})
    assert len(predicted("linear[sotl]", "others.csv")) == len(OTHERS)


@pytest.mark.parametrize("which", ["train", "others"])
def test_curves_in_fractions_are_not_taken_for_percent(train, which):
    curve_file(train, FITTED, (50, 60))
    curve_file("others.csv", OTHERS, (50, 60), accuracies=False)
    with open(f"{which}.csv") as file:
        header, *rows = [line.split(",") for line in file]
    fractions = [[a, *(f"{float(v) / 100}" for v in values)] for a, *values in rows]
    write(f"{which}.csv", [",".join(header).strip(), *map(",".join, fractions)])
    with pytest.raises(InputError, match=rf"{which}.csv: expected accuracies in percent, the high"):
        predicted("last_value", "others.csv")


def test_curves_may_all_stand_in_one_file(train):
    curve_file(train, NETWORKS, (1, 2, 3), what="loss")
    values = predicted("sotl_e", write("others.txt", OTHERS))
    assert values == pytest.approx({a: -70 / accuracy(a) for a in OTHERS})


def test_published_curves_take_their_place(train):
    write(train, ["architecture,accuracy", *(f"{a},{i}" for i, a in enumerate(NAAP[:40]))])
    epochs = np.arange(1, 91)
    values = {"accuracy": np.linspace(0, 1, 90) * np.arange(440)[:, None] / 10}
    curves = Curves("naap440", "naap440", "cifar10", NAAP, epochs, values, np.arange(440) / 10, 90)
    store_curves([curves], Origin("made up", "00"))
    write("others.txt", NAAP[40:50])
    whole = predicted("last_value", "others.txt", space="naap440")
    assert whole == pytest.approx({a: i / 10 for i, a in enumerate(NAAP[40:50], 40)})
    first = predicted("last_value", "others.txt", space="naap440", epochs=1)
    assert set(first.values()) == {0}


def test_curves_of_two_files_are_joined_where_both_have_them():
    def made_up(networks, epochs, kinds):
        values = {k: np.full((len(networks), len(epochs)), float(len(networks))) for k in kinds}
        accuracies = np.full(len(networks), 1.0)
        return Curves("mine", "", "", networks, np.array(epochs), values, accuracies, 9)

    first = made_up(("a", "b"), [1, 2, 5], ("accuracy", "train_loss"))
    second = made_up(("b", "c", "d"), [2, 3, 5], ("accuracy",))
    both = joined(first, second)
    assert both.architectures == ("a", "b", "c", "d")
    assert both.epochs.tolist() == [2, 5]
    assert both.values.keys() == {"accuracy"}
    assert both.values["accuracy"].tolist() == [[2, 2], [2, 2], [3, 3], [3, 3]]
    for epochs, kind in (([3], "accuracy"), ([2], "train_loss")):
        with pytest.raises(InputError, match="accuracies or losses at common epochs"):
            joined(made_up(("c",), [1, 2], ("accuracy",)), made_up(("d",), epochs, (kind,)))


# Bad input


@pytest.mark.parametrize(
    ("predictor", "values", "message"),
    [
        ("linaer", {}, "unknown predictor 'linaer'; did you mean 'linear'"),
        ("linear", {"space": "nasbench-maco"}, "unknown space .*; did you mean 'nasbench-macro'"),
        ("linear", {"dataset": "cifar1"}, "dataset 'cifar1'; did you mean 'cifar10'"),
        ("linear", {"candidates": "none.txt"}, "none.txt: cannot be read: No such file"),
        ("linear", {"candidates": "empty.txt"}, "empty.txt: expected an architecture a line"),
        ("linear", {"candidates": "header.csv"}, "header.csv: expected an architecture a line"),
        ("linear", {"candidates": "bad.txt"}, "bad.txt:3: .*'resnet'"),
        ("linear", {"candidates": "bad.csv"}, "bad.csv:4: .*'resnet'"),
        ("linear", {"candidates": "bad.txt", "sample": 3}, "bad.txt and a sample of 3: expected"),
        ("linear", {"sample": 0}, "sample 0: expected 1 or more"),
        ("linear[proxies:]", {"sample": 2}, "feature 'proxies:': expected proxies"),
        ("last_value", {"sample": 2}, "train.csv: expected columns accuracy_1, accuracy_2"),
    ],
)
def test_what_cannot_be_predicted(predictor, values, message):
    write("empty.txt", ["", " "])
    write("header.csv", ["architecture"])
    write("bad.txt", [OTHERS[0], "", "resnet"])
    write("bad.csv", ["architecture,x", f"{OTHERS[0]},1", "", "resnet,2"])
    with pytest.raises(InputError, match=message):
        predicted(predictor, **values)


@pytest.mark.parametrize("candidates", [None, "others.txt"])
def test_networks_without_curves_cannot_be_predicted_from_them(train, candidates):
    curve_file(train, FITTED, (1, 2))
    write("others.txt", OTHERS)
    message = "network .* has none: expected a file of candidates with columns .* as in train.csv"
    with pytest.raises(InputError, match=message):
        predicted("last_value", candidates, sample=None if candidates else 3)


def test_curves_must_have_what_is_read(train):
    curve_file(train, NETWORKS, (1, 2))
    with pytest.raises(InputError, match=r"train.csv: expected train_loss, have accuracy"):
        predicted("sotl", write("others.txt", OTHERS))
    curve_file(train, NETWORKS, (2, 3))
    with pytest.raises(InputError, match="nothing up to epoch 1, expected an epoch from 2 on"):
        predicted("last_value", "others.txt", epochs=1)
