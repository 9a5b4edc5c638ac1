"""`eznas search latent`, `latent-compare` and `autoencode`: JSON, tables, folders and bad input."""

import functools
import json
from pathlib import Path

import pytest

from eznas.search.latent.estimator import MultiProxy
from eznas.search.latent.methods import all_networks
from tests.cli.calls import answer, call, complaint
from tests.search.latent.measured import SPACE, autoencoder, score

SHORT = ("--train", "60", "--starts", "6", "--steps", "10", "--rounds", "2")
PROXIES = ("--proxies", "naswot,zen", "--scores", "every.csv")


@pytest.fixture(autouse=True, scope="module")
def scores(folder):
    """A file with a score of every network."""
    rows = [f"{a},{score('wide', a)},{score('narrow', a)}" for a in all_networks(SPACE)]
    (folder / "every.csv").write_text("\n".join(["architecture,naswot,zen", *rows]))


@pytest.fixture(autouse=True)
def small_networks(monkeypatch):
    for module in ("latent_search", "latent_comparison"):
        name = f"eznas.studies.{module}.autoencoder_for"
        monkeypatch.setattr(name, lambda *_: autoencoder())
    heads = functools.partial(MultiProxy, steps=150)
    monkeypatch.setattr("eznas.search.latent.estimator.MultiProxy", heads)


@pytest.mark.usefixtures("unmeasured")
def test_a_search_is_saved_drawn_and_printed():
    pytest.importorskip("safetensors")
    command = ("search", "latent", *PROXIES, "--labels", "40", *SHORT)
    content = answer(*command, "--save", "climbed", "--plot", "climbed.png")
    assert Path("climbed.png").is_file()
    assert content["plots"] == ["climbed.png"]
    saved = json.loads(Path("climbed/answer.json").read_text())
    assert saved["architectures"] == content["architectures"]
    printed = call(*command).out
    for text in ("latent search, nasbench201/cifar10:", "weights ridge", "tau of its head"):
        assert text in printed
    assert "validation accuracy of the answer: mean" in printed


@pytest.mark.usefixtures("unmeasured")
def test_a_comparison_is_saved_with_a_page():
    command = ("search", "latent-compare", *PROXIES, *SHORT, "--repeats", "2")
    content = answer(*command, "--methods", "latent, random", "--save", "compared")
    assert [row["search"] for row in content["latent_searches"]] == ["latent", "random"]
    page = Path("compared/README.md").read_text()
    assert "| `random` |" in page
    assert "--methods 'latent, random'" in page
    printed = call(*command, "--methods", "random,evolution").out
    assert "unified score of 2 proxies, weights equal" in printed


def test_autoencoders_of_small_spaces():
    command = ("search", "autoencode", "nats-size", "--epochs", "1")
    [row] = answer(*command)["rows"]
    assert row["space"] == "nats-size"
    assert 0 <= row["exact"] <= 1
    assert "nats-size" in call(*command).out


@pytest.mark.usefixtures("unmeasured")
@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--weights", "ridge"), "weights ridge: expected labels"),
        (("--weights", "naswot=1"), "weights: none for zen"),
        (("--labels", "nowhere.csv"), "nowhere.csv"),
        (("--labels", "rows.csv"), "rows.csv"),
        (("--method", "gradient"), "unknown method 'gradient'"),
        (("--encoder", "tree"), "unknown encoder 'tree'"),
        (("--proxies", "run:nothing"), "unknown"),
        (("--scores", "text.csv"), "text.csv:3: expected a finite number as naswot, found 'high'"),
        (("--space", "nasbench102"), "unknown space 'nasbench102'"),
        (("--plot", "latent.jpg"), "plots are PNG files"),
        (("--method", "random", "--plot", "a.png", "--space", "none"), "no latent space to draw"),
    ],
)
def test_bad_input_is_one_line(options, words):
    assert words in complaint("search", "latent", *PROXIES, *options)


@pytest.mark.usefixtures("unmeasured")
def test_a_folder_of_something_else():
    Path("taken").mkdir(exist_ok=True)
    Path("taken/notes.txt").write_text("mine")
    words = complaint("search", "latent", *PROXIES, *SHORT, "--save", "taken")
    assert words == "taken: holds something else already; choose another folder"


@pytest.mark.usefixtures("unmeasured")
def test_bad_comparisons():
    words = complaint("search", "latent-compare", *PROXIES, "--methods", "latent,climbing")
    assert "unknown method 'climbing'" in words
