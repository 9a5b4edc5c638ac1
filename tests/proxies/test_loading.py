"""What PROXY may be: a name, a run, one of its archive, a file, a formula."""

import json
from pathlib import Path

import pytest

from eznas import api
from eznas.errors import InputError
from eznas.formulas.parser import parse
from eznas.proxies.classics import CLASSICS
from eznas.proxies.loading import resolve, run_of
from eznas.proxies.proxy import RAW_BATCH, SKETCH_BATCH

BEST, SECOND, CHAMPION = "2.0 * params", "3.0 * params", "4.0 * params"


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(path: str, finished: bool = True) -> Path:
    """A run folder as one that is going on, or has ended, looks."""
    home = Path(path)
    home.mkdir(parents=True)
    archive = [{"formula": f, "coverage": 1.0} for f in (BEST, SECOND)]
    contents = {"config.json": {"raw_batch": 3, "sketch_batch": 5}, "archive.json": archive}
    if finished:
        contents["result.json"] = {"formula": CHAMPION}
    for name, content in contents.items():
        (home / name).write_text(json.dumps(content))
    return home


def test_the_batches_of_what_names_none():
    assert (RAW_BATCH, SKETCH_BATCH) == (16, 64)
    for text in ("params", "log(params)"):
        assert (resolve(text).raw_batch, resolve(text).sketch_batch) == (RAW_BATCH, SKETCH_BATCH)


@pytest.mark.parametrize("name", CLASSICS)
def test_a_name(name):
    found = resolve(f" {name} ")
    assert found.name == name
    assert found.formula.text == parse(CLASSICS[name].formula).text
    assert (found.raw_batch, found.sketch_batch) == (RAW_BATCH, SKETCH_BATCH)


def test_a_formula():
    found = resolve(" params*2 ")
    assert found.name == "params*2"
    assert found.formula.text == parse("params * 2").text


def test_a_run_is_its_champion_under_the_batches_of_the_run():
    run("runs/mine")
    for text in ("mine", "runs/mine", " mine ", str(Path("runs/mine").absolute())):
        found = resolve(text)
        assert (found.name, found.formula.text) == ("mine", CHAMPION)
        assert (found.raw_batch, found.sketch_batch) == (3, 5)


def test_a_run_that_did_not_finish_is_its_fittest():
    run("runs/mine", finished=False)
    found = resolve("mine")
    assert (found.name, found.formula.text) == ("mine#1", BEST)


def test_one_of_an_archive():
    run("elsewhere (old)/mine")
    found = resolve("elsewhere (old)/mine#2")
    assert (found.name, found.formula.text) == ("mine#2", SECOND)


@pytest.mark.parametrize("number", ["0", "3", "-1", "x", "", "1.0", "²", "1#2", "9" * 5000])
def test_beyond_an_archive(number):
    run("runs/mine")
    with pytest.raises(InputError, match="expected #1 to #2 of its archive, got #") as caught:
        resolve(f"mine#{number}")
    assert str(caught.value).endswith(f"#{number}"[-500:])


def test_an_archive_that_is_still_empty():
    home = run("runs/mine", finished=False)
    (home / "archive.json").unlink()
    with pytest.raises(InputError, match=r"archive\.json: No such file"):
        resolve("mine")


@pytest.mark.parametrize(
    ("file", "content", "message"),
    [
        ("config.json", {}, r"config\.json: raw_batch: Field required"),
        ("config.json", [], r"config\.json: content: "),
        (
            "config.json",
            {"raw_batch": 10**12, "sketch_batch": 5},
            r"config\.json: raw_batch: .*4096",
        ),
        ("result.json", {}, r"result\.json: formula: Field required"),
        ("result.json", {"formula": 3}, r"result\.json: formula: .*string"),
        ("result.json", {"formula": "parms"}, "runs/mine: mine: formula: unknown name 'parms'"),
        ("result.json", {"formula": "\x1b[31m"}, r"position 1, at '\\x1b'"),
    ],
)
def test_a_run_of_a_stranger(file, content, message):
    home = run("runs/mine")
    (home / file).write_text(json.dumps(content))
    with pytest.raises(InputError, match=message) as caught:
        resolve("mine")
    assert str(caught.value).isprintable()


@pytest.mark.parametrize(
    ("archive", "message"),
    [
        ({}, "content: .*list"),
        ([3], "0: "),
        ([{"formula": BEST}, {"coverage": 1.0}], "1.formula: Field required"),
        ([{"formula": BEST, "coverage": "all"}], "0.coverage: .*number"),
    ],
)
def test_an_archive_of_a_stranger(archive, message):
    (run("runs/mine") / "archive.json").write_text(json.dumps(archive))
    with pytest.raises(InputError, match=rf"mine/archive\.json: {message}"):
        resolve("mine#1")


@pytest.mark.parametrize(
    ("file", "content", "message"),
    [
        ("config.json", {"raw_batch": 3, "sketch_batch": 5, "colour": 1}, "colour: Extra inputs"),
        ("config.json", {"raw_batch": 3, "sketch_batch": 5, "start": 999}, "expected at most"),
        ("environment.json", {"conditions": 3}, "conditions: .*list"),
        ("result.json", {"formula": CHAMPION, "held_out": [3]}, "held_out.0: .*dictionary"),
    ],
)
def test_a_run_of_a_stranger_is_not_exported(file, content, message):
    home = run("runs/mine")
    (home / "environment.json").write_text("{}")
    (home / file).write_text(json.dumps(content))
    with pytest.raises(InputError, match=rf"mine/{file}: .*{message}"):
        api.export("mine", "new.json")


def test_a_folder_with_a_name_that_a_terminal_obeys():
    run("runs/a\x1b[31m")
    with pytest.raises(InputError, match="expected printable characters"):
        resolve("a\x1b[31m")


def test_a_formula_of_several_lines_is_a_name_of_one():
    assert resolve("params\n  * 2").name == "params * 2"
    api.export("params\n  * 2", "mine.json")
    assert resolve("mine.json").name == "params * 2"


def test_a_file():
    api.export("params", "mine.json")
    found = resolve("mine.json")
    assert (found.name, found.formula.text) == ("params", "params")


def test_a_classic_comes_before_a_run_of_its_name():
    run("runs/hybrid")
    assert resolve("hybrid").formula.text != CHAMPION
    assert run_of("hybrid") is None
    assert resolve("runs/hybrid").formula.text == CHAMPION


@pytest.mark.parametrize(
    ("text", "nearest"),
    [("hybird", "hybrid"), ("mien", "mine"), ("mien#1", "mine"), ("nasw0t", "naswot")],
)
def test_the_nearest_name(text, nearest):
    run("runs/mine")
    with pytest.raises(InputError, match=f"did you mean '{nearest}'"):
        resolve(text)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("weight", "NetScalar"),
        ("sum_layers", "takes arguments"),
        ("sum_layers(#)", "position 12"),
        ("params # 2", "unknown run"),
        ("folder", "unknown proxy"),
    ],
)
def test_what_is_no_proxy(text, message):
    Path("folder").mkdir()
    with pytest.raises(InputError, match=message):
        resolve(text)


def test_run_of():
    home = run("runs/mine")
    for text in ("mine", "mine#2", "runs/mine", " mine"):
        assert run_of(text).path == home
    for text in ("params", "sum_layers(layer_params)", "nothing", "x.json", "params + " * 100):
        assert run_of(text) is None
    with pytest.raises(InputError, match="unknown run 'nothing'"):
        run_of("nothing#1")
