"""champion.json and greedy.json, which runs leave: proxy files that load, score and export."""

import json
import math

import pytest
import torch

from eznas.discovery.run import evolve, resume
from eznas.formulas.parser import parse
from eznas.proxies import files
from eznas.proxies.loading import describe, load
from eznas.report.exporting import export
from eznas.spaces import SPACES
from tests.discovery.tiny_run import Interrupts, read_json, tiny


@pytest.fixture
def finished(finished_run, monkeypatch):
    """A finished run, in the working folder."""
    monkeypatch.chdir(finished_run.home)
    return finished_run


@pytest.fixture
def model():
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return SPACES["nasbench201"].build(SPACES["nasbench201"].sample(1, seed=3)[0])


def test_it_is_a_proxy_file_with_its_evidence(finished):
    home, result = finished
    proxy, content = files.read(home / "runs" / result.run / files.CHAMPION)
    assert (proxy.name, proxy.formula) == (result.run, parse(result.formula))
    assert (proxy.raw_batch, proxy.sketch_batch) == (2, 4)
    rows = [row for row in result.held_out if row["proxy"] == "champion"]
    assert content.evidence == json.loads(json.dumps(rows))
    assert rows
    archive = read_json(home, result.run, "archive.json")
    for key in ("measurement", "fingerprint", "raw_batch", "sketch_batch"):
        assert getattr(content, key) == archive[key]


def test_the_greedy_formula_beside_it_is_a_proxy_file_too(finished):
    home, result = finished
    proxy, content = files.read(home / "runs" / result.run / files.GREEDY)
    assert (proxy.name, proxy.formula) == (f"{result.run}-greedy", parse(result.greedy))
    rows = [row for row in result.held_out if row["proxy"] == "greedy"]
    assert content.evidence == json.loads(json.dumps(rows))
    assert rows


def test_it_loads_and_scores_by_the_name_of_the_run_and_by_its_path(finished, model):
    name = finished.result.run
    by_text = [load(text) for text in (name, f"runs/{name}", f"runs/{name}/champion.json")]
    assert by_text[0] == by_text[1] == by_text[2]
    scores = [proxy.score(model, (3, 16, 16), init="kaiming") for proxy in by_text]
    assert math.isfinite(scores[0])
    assert scores[0] == scores[1] == scores[2]


def test_it_exports_to_an_equal_file(finished, tmp_path):
    name, file = finished.result.run, str(tmp_path / "exported.json")
    exported = export(name, file)
    assert exported == describe(name).model_dump()
    champion = (finished.home / "runs" / name / files.CHAMPION).read_bytes()
    assert (tmp_path / "exported.json").read_bytes() == champion
    assert load(file) == load(name)


@pytest.mark.usefixtures("tiny_networks_ship")
def test_an_interrupted_run_has_one_without_evidence(home):
    result = evolve(tiny(generations=1), name="cut", watcher=Interrupts(after=0))
    content = read_json(home, "cut", files.CHAMPION)
    assert (content["formula"], content["evidence"]) == (result.formula, [])
    assert load("cut").formula == parse(result.formula)
    finished = resume("cut")
    content = read_json(home, "cut", files.CHAMPION)
    assert content["formula"] == finished.formula
    assert content["evidence"]
    greedy = home / "runs" / "cut" / files.GREEDY
    assert greedy.exists()
    assert resume("cut", generations=2, watcher=Interrupts(after=2)).stopped == "SIGINT"
    assert not greedy.exists()  # that of another sum
