"""Exported proxies: all that a score depends on, and nothing of a file is lost."""

import json

import pytest

import eznas
from tests.proxies.models import one


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def test_export_says_what_a_score_depends_on(tmp_path):
    file = tmp_path / "mine.json"
    content = eznas.export(
        "2.5 * params + -1.0 * logdet(sum_all_layers(data_relu_agreement))", file.name
    )
    assert content["constants"] == [2.5, -1.0]
    assert sorted(content["statistics"]) == ["data_relu_agreement", "params"]
    assert len(content["measurement"]) == len(content["fingerprint"]) == 2
    assert (content["evidence"], content["coverage"]) == ([], None)
    for config in content["measurement"]:
        assert config["initialisation"] == "kaiming"
        assert config["raw_batch"] == content["raw_batch"]
        assert config["sketch_batch"] == content["sketch_batch"]
    loaded = eznas.load("mine.json")
    assert loaded.formula.text == content["formula"]
    assert loaded.score(one(), batch=4) == eznas.load(content["name"]).score(one(), batch=4)


def test_export_of_a_file_keeps_all_of_it(tmp_path):
    """Batches and evidence come from the file, not from defaults."""
    first = eznas.export("naswot", "first.json")
    row = {"proxy": "champion", "tau": 0.5}
    content = json.loads((tmp_path / "first.json").read_text())
    content |= {"sketch_batch": 5, "evidence": [row]}
    (tmp_path / "first.json").write_text(json.dumps(content))
    second = eznas.export("first.json", "second.json")
    assert second["sketch_batch"] == 5
    assert second["evidence"] == [row]
    assert second["fingerprint"] == first["fingerprint"]
    assert eznas.load("second.json").sketch_batch == 5


def test_export_replaces_a_file_whole(tmp_path):
    (tmp_path / "mine.json").write_text("old")
    eznas.export("params", "mine.json", force=True)
    assert eznas.load("mine.json").name == "params"
    assert [p.name for p in tmp_path.glob("*mine*")] == ["mine.json"]
