"""`eznas.latent_search` and its comparison, on NAS-Bench-201 with scores from a file."""

import functools
import json
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import eznas
from eznas.benchmarks.subsets import search_sample
from eznas.errors import InputError
from eznas.evaluation.executors import NoPhases
from eznas.predictors.measurements import Measurements
from eznas.proxies.loading import load
from eznas.proxies.measured import ScoringSettings
from eznas.report.latent_tables import latent_lines
from eznas.search.latent.estimator import MultiProxy
from eznas.search.latent.methods import all_networks
from eznas.studies import latent_search as study
from eznas.studies.latent_result import described, plot
from eznas.studies.latent_setup import (
    Options,
    Setting,
    labelled_networks,
    problem_of,
    setting_of,
)
from eznas.studies.saving import page_of
from tests.search.latent.measured import SPACE, autoencoder, score
from tests.studies.made_up import SMALL, is_png

PROXIES = ("naswot", "zen", "swap")
SHORT = {"train": 60, "starts": 6, "steps": 10, "rounds": 2}


@pytest.fixture(scope="module")
def scores(tmp_path_factory):
    """A file with a score of every network."""
    file = tmp_path_factory.mktemp("scores") / "scores.csv"
    rows = [
        ",".join([a, *(str(score(p, a)) for p in ("wide", "narrow", "wide"))])
        for a in all_networks(SPACE)
    ]
    file.write_text("\n".join([f"architecture,{','.join(PROXIES)}", *rows]))
    return str(file)


@pytest.fixture(autouse=True)
def small_networks(monkeypatch):
    for module in ("latent_search", "latent_comparison"):
        name = f"eznas.studies.{module}.autoencoder_for"
        monkeypatch.setattr(name, lambda *_: autoencoder())
    heads = functools.partial(MultiProxy, steps=150)
    monkeypatch.setattr("eznas.search.latent.estimator.MultiProxy", heads)


@pytest.mark.usefixtures("unmeasured")
def test_the_answer_as_json(scores):
    result = eznas.latent_search(proxies=PROXIES, scores=scores, labels=50, **SHORT)
    content = json.loads(json.dumps(described(result)))
    assert {"architectures", "measured", "visited", "seconds"} <= set(content)
    assert len(content["architectures"]) == 10
    row = content["architectures"][0]
    assert set(row) == {"architecture", "predicted", "measured", "step", "accuracy"}
    measured = [row["measured"] for row in content["architectures"]]
    assert measured == sorted(measured, reverse=True)
    assert 70 < content["measured"] <= 60 + 10 + 50
    assert content["weights"] == "ridge"
    assert [row["proxy"] for row in content["proxies"]] == list(PROXIES)
    assert all(row["deviation"] > 0 for row in content["proxies"])
    assert content["exact"] > 0.9
    assert all(a is not None for a in result.accuracies)


@pytest.mark.usefixtures("unmeasured")
def test_equal_seeds_give_equal_answers_and_weights_may_be_given(scores):
    options = {"proxies": PROXIES, "scores": scores, "weights": "naswot=1,zen=-1,swap=0"}
    first, second = (eznas.latent_search(**options, **SHORT) for _ in range(2))
    assert first.architectures == second.architectures
    assert first.weights.values.tolist() == [1.0, -1.0, 0.0]
    assert first.weights.deviations is None
    other = eznas.latent_search(**options, **SHORT, seed=1)
    assert other.architectures != first.architectures


@pytest.mark.usefixtures("unmeasured")
@pytest.mark.parametrize("method", ["random", "evolution"])
def test_other_methods_have_no_heads(scores, method, tmp_path):
    result = eznas.latent_search(proxies=PROXIES, scores=scores, method=method, **SHORT)
    assert result.measured == 70
    assert result.head_taus is None
    assert all(found.predicted is None for found in result.architectures)
    with pytest.raises(InputError, match=f"method {method} has no latent space to draw"):
        plot(result, str(tmp_path / "plot.png"))


@pytest.mark.usefixtures("unmeasured")
def test_a_picture(scores, tmp_path):
    result = eznas.latent_search(proxies=PROXIES, scores=scores, **SHORT)
    file = str(tmp_path / "latent.png")
    assert plot(result, file) == [file]
    assert is_png(file)
    assert result.landscape.paths.shape == (11, 6, 2)


@pytest.mark.usefixtures("unmeasured")
def test_a_folder_keeps_the_search_and_belongs_to_it(scores, tmp_path):
    pytest.importorskip("safetensors")
    folder, options = tmp_path / "search", {"proxies": PROXIES, "scores": scores, **SHORT}
    first = eznas.latent_search(**options, save=str(folder))
    assert {path.name for path in folder.iterdir() if path.suffix != ".gz"} >= {
        *("search.json", "answer.json", "heads.json", "visited.jsonl"),
        *("autoencoder.safetensors", "heads.safetensors"),
    }
    answer = json.loads((folder / "answer.json").read_text())
    assert answer["architectures"][0]["architecture"] == first.architectures[0].architecture
    lines = [json.loads(line) for line in (folder / "visited.jsonl").read_text().splitlines()]
    assert len(lines) == first.visited
    heads = json.loads((folder / "heads.json").read_text())
    assert heads["unified"] == pytest.approx(first.unified_tau)
    again = eznas.latent_search(**options, save=str(folder))
    assert again.architectures == first.architectures
    spelled_out = {"dataset": "cifar10", "weights": "equal"}  # what it is anyway
    same = eznas.latent_search(**options, **spelled_out, save=str(folder))
    assert same.architectures == first.architectures
    with pytest.raises(InputError, match="holds a search with seed 0, not 1; choose another"):
        eznas.latent_search(**options, seed=1, save=str(folder))
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "notes.txt").write_text("mine")
    with pytest.raises(InputError, match="holds something else already"):
        eznas.latent_search(**options, save=str(tmp_path / "other"))


def test_what_was_measured_before_an_interruption_is_not_measured_again(tmp_path, monkeypatch):
    """The heads fail; the second time, nothing may be measured before them."""
    pytest.importorskip("safetensors")
    options = {"proxies": ["params"], "save": str(tmp_path / "run"), "train": 40, "dataset": SMALL}

    def fail(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(study, "_estimator", fail)
    with pytest.raises(KeyboardInterrupt):
        eznas.latent_search(**options)
    stored = (tmp_path / "run" / "features.gz").read_bytes()
    monkeypatch.setattr("eznas.evaluation.evaluator.Evaluator.evaluate", fail)
    monkeypatch.setattr(study, "_estimator", lambda *_: pytest.skip.Exception)
    with pytest.raises(AttributeError):  # it came as far as the heads
        eznas.latent_search(**options)
    assert (tmp_path / "run" / "features.gz").read_bytes() == stored


def test_the_terms_of_a_champion_add_up_to_it():
    """On real networks, to rounding."""
    options = Options(
        proxies=("nasbench201-a",), weights="terms", train=40, rounds=2, dataset=SMALL
    )
    setting = setting_of(options, ScoringSettings(), None, NoPhases())
    unified = problem_of(options, setting, NoPhases()).unified
    networks = all_networks(SPACE)[-3:]
    measured = Measurements(SPACE.name, SMALL).scores(["nasbench201-a"], networks)[:, 0]
    assert np.isfinite(measured).all()
    assert len(unified.proxies) == 11
    assert unified(networks) == pytest.approx(measured, rel=1e-9)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"space": "nasbench202"}, "unknown space 'nasbench202'"),
        ({"method": "gradient"}, "unknown method 'gradient'"),
        ({"proxies": ()}, "no proxies: expected one or more"),
        ({"proxies": ("zen", "zen")}, "expected each of them once"),
        ({"proxies": ("znn",)}, "unknown proxy 'znn'"),
        ({"weights": "ridge"}, "weights ridge: expected labels"),
        ({"weights": "terms"}, "weights terms: expected one formula, got 3 proxies"),
        ({"weights": "rdge"}, "unknown way to weigh proxies 'rdge'"),
        ({"train": 10}, "train 10: expected 40 or more"),
        ({"rounds": 0}, "rounds 0: expected 1 or more"),
        ({"encoder": "tree"}, "unknown encoder 'tree'"),
        ({"labels": 20_000}, "labels 20000: expected a number up to"),
        ({"dataset": "cifar11"}, "unknown nasbench201 dataset 'cifar11'"),
        ({"labels": -5}, "labels -5: expected 0 or more networks, or a file"),
        ({"labels": 3}, "weights ridge: expected 5 or more networks of different accuracies"),
        ({"seed": -1}, "seed -1: expected 0 or more"),
        ({"space": "nds-darts", "method": "exhaustive"}, "space nds-darts: too many networks"),
    ],
)
@pytest.mark.usefixtures("unmeasured")
def test_bad_input(options, words):
    with pytest.raises(InputError) as error:
        eznas.latent_search(**({"proxies": PROXIES} | options))
    assert words in str(error.value)


@pytest.mark.usefixtures("unmeasured")
def test_labels_that_cannot_be_used_are_refused_before_anything_is_measured(tmp_path, monkeypatch):
    file = tmp_path / "equal.csv"
    file.write_text("\n".join(["architecture,accuracy", *(f"{a},50" for a in all_networks(SPACE))]))
    with pytest.raises(InputError, match="different accuracies, got 9445 of the same"):
        eznas.latent_search(proxies=PROXIES, labels=str(file))
    monkeypatch.setitem(sys.modules, "optuna", None)
    with pytest.raises(InputError, match="weights tpe: needs the package optuna"):
        eznas.latent_search(proxies=PROXIES, labels=50, weights="tpe")


def test_labels_whose_accuracy_is_not_known_are_left_out(scores):
    options = Options(proxies=PROXIES, labels=50)
    setting = setting_of(options, ScoringSettings(), scores, NoPhases())
    everything, _ = labelled_networks(options, setting)
    [name] = setting.benchmark.accuracies
    some = search_sample(setting.benchmark, 50, 0).architectures[:10]
    unknown = np.isin(setting.benchmark.architectures, some)
    accuracies = {name: np.where(unknown, np.nan, setting.benchmark.accuracies[name])}
    partly = replace(setting, benchmark=replace(setting.benchmark, accuracies=accuracies))
    networks, known = labelled_networks(options, partly)
    assert networks == everything[10:]
    assert np.isfinite(known).all()


def test_slips_in_python_get_a_line():
    with pytest.raises(InputError, match="train: expected a whole number, got float"):
        eznas.latent_search("nasbench201", "zen", train=60.5)
    with pytest.raises(InputError, match="unknown proxy 'zenn'"):
        eznas.latent_search("nasbench201", "zenn")


@pytest.mark.usefixtures("unmeasured")
def test_of_too_few_networks_no_tau_is_given(scores):
    options = {"train": 40, "starts": 4, "steps": 5, "rounds": 2}
    result = eznas.latent_search(proxies=PROXIES, scores=scores, **options)
    assert result.aside > 0
    one = replace(result, aside=1, unified_tau=np.nan, head_taus=np.full(3, np.nan))
    content = described(one)
    assert content["tau"] is None
    assert [row["tau"] for row in content["proxies"]] == [None] * 3
    lines = [*latent_lines(content)]
    assert lines[0].endswith("tau unknown, 1 networks set aside are too few")
    assert not any("nan" in line for line in lines)


@pytest.mark.usefixtures("unmeasured")
def test_trained_jointly_the_paths_begin_at_networks_of_the_same_picture(scores):
    result = eznas.latent_search(proxies=PROXIES, scores=scores, joint=True, **SHORT)
    picture = result.landscape
    distances = np.linalg.norm(picture.paths[0] - picture.points[:6], axis=1)
    assert np.median(distances) < 1e-5  # a start outside the box is moved to its edge


@pytest.mark.usefixtures("unmeasured")
def test_a_comparison_over_seeds(scores, tmp_path):
    content = eznas.latent_compare(
        proxies=PROXIES[:2],
        also="swap",
        methods=["latent", "random", "exhaustive"],
        repeats=2,
        labels=50,
        scores=scores,
        **SHORT,
    )
    rows = {row["search"]: row for row in content["latent_searches"]}
    assert [*rows] == [
        *("latent", "random", "exhaustive", "latent with swap", "latent, terms of swap")
    ]
    assert rows["exhaustive"]["unified_difference"] >= 0
    assert rows["exhaustive"]["percentile"] >= rows["latent"]["percentile"] > 70
    assert "unified_difference" not in rows["latent with swap"]
    assert "accuracy_difference" in rows["latent with swap"]
    assert [row["search"] for row in content["heads"]] == [
        *("latent", "latent with swap", "latent, terms of swap")
    ]
    assert [row["score"] for row in content["taus"]] == ["unified", *PROXIES[:2]]
    command = "eznas search latent-compare"
    (tmp_path / "rows.json").write_text(json.dumps({"command": command, **content}))
    page = page_of(tmp_path)
    assert "Unified score of 2 proxies, weights ridge, 50 labels, nasbench201/cifar10" in page
    assert "| `latent, terms of swap` |" in page
    assert Path(tmp_path / "rows.json").is_file()


@pytest.mark.usefixtures("unmeasured")
def test_few_held_out_networks_tell_what_a_unified_score_is_worth(scores):
    """A proxy alone is its own unified score, and has its own tau."""
    options = {"proxies": PROXIES[:1], "methods": ["random"], "repeats": 2, "scores": scores}
    content = eznas.latent_compare(**options, judged=40, **SHORT)
    unified, proxy = content["taus"]
    assert unified["networks"] == proxy["networks"] == 40
    assert unified["tau"] == pytest.approx(proxy["tau"])
    assert content["networks"] is None
    assert eznas.latent_compare(**options, **SHORT)["taus"] == []


def test_a_run_may_be_named_as_one(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match="unknown"):
        load("run:nothing")


def test_the_accuracy_of_an_equal_cell_in_another_order_is_known():
    """NAS-Bench-101's table has one of several spellings of a cell."""
    space = eznas.SPACES["nasbench101"]
    nothing = (ScoringSettings(), None, NoPhases(), Measurements("nasbench101"), (), None, None)
    setting = Setting(space, *nothing, {"1111001101:13m": 93.5, "1111001011:33m": 91.0}, "test")
    assert setting.accuracy_of("1111001101:13m") == 93.5
    assert setting.accuracy_of("1111010011:31m") == 93.5
    assert setting.accuracy_of("1111001011:m33") == 91.0
    assert setting.accuracy_of("1110001011:311") is None
    assert replace(setting, known={}).accuracy_of("1111001101:13m") is None
