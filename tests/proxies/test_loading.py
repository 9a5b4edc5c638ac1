"""What PROXY may be: a name, a run, a formula of its archive, a file, a formula."""

import json
from pathlib import Path

import pytest

from eznas.errors import InputError
from eznas.formulas.parser import parse
from eznas.proxies.classics import CLASSICS
from eznas.proxies.loading import load
from eznas.report.exporting import export
from eznas.statistics.config import PROXY

BEST, SECOND, CHAMPION = "2.0 * params", "3.0 * params", "4.0 * params"
MEASURED = {
    "measurement": [{"seed": 0}],
    "fingerprint": ["00"],
    "raw_batch": 3,
    "sketch_batch": 5,
}
ARCHIVE_FILE = MEASURED | {"formulas": [{"formula": f, "coverage": 1.0} for f in (BEST, SECOND)]}
CHAMPION_FILE = MEASURED | {
    "eznas_proxy": 2,
    "name": "mine",
    "formula": CHAMPION,
    "constants": [4.0],
    "statistics": ["params"],
    "evidence": [{"proxy": "champion", "tau": 0.5}],
    "coverage": 1.0,
    "labels": {"nasbench201": 2},
    "untested": False,
}


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def make_run(path: str, finished: bool = True) -> Path:
    """A run folder as it looks while a run goes on, or after its end."""
    run = Path(path)
    run.mkdir(parents=True)
    contents = {"config.json": {}, "archive.json": ARCHIVE_FILE}
    if finished:
        contents["champion.json"] = CHAMPION_FILE
    for name, content in contents.items():
        (run / name).write_text(json.dumps(content))
    return run


def test_the_default_batches():
    assert (PROXY.raw_batch, PROXY.sketch_batch) == (16, 64)
    for text in ("params", "log(params)"):
        assert (load(text).raw_batch, load(text).sketch_batch) == (16, 64)


@pytest.mark.parametrize("name", CLASSICS)
def test_a_name(name):
    proxy = load(f" {name} ")
    assert proxy.name == name
    assert proxy.formula.text == parse(CLASSICS[name].formula).text
    assert (proxy.raw_batch, proxy.sketch_batch) == (16, 64)


def test_a_formula():
    proxy = load(" params*2 ")
    assert proxy.name == "params*2"
    assert proxy.formula.text == parse("params * 2").text


def test_a_run_is_its_champion_under_the_batches_of_the_run():
    make_run("runs/mine")
    for text in ("mine", "runs/mine", " mine ", str(Path("runs/mine").absolute())):
        proxy = load(text)
        assert (proxy.name, proxy.formula.text) == ("mine", CHAMPION)
        assert (proxy.raw_batch, proxy.sketch_batch) == (3, 5)


def test_a_champion_has_the_name_of_its_folder():
    """A folder may have been copied or renamed since its run ended."""
    make_run("runs/copied")
    assert load("copied").name == "copied"
    assert export("copied", "new.json")["name"] == "copied"


def test_a_run_that_did_not_finish_is_its_fittest():
    make_run("runs/mine", finished=False)
    proxy = load("mine")
    assert (proxy.name, proxy.formula.text) == ("mine#1", BEST)
    assert (proxy.raw_batch, proxy.sketch_batch) == (3, 5)


def test_a_formula_of_an_archive():
    make_run("elsewhere (old)/mine")
    proxy = load("elsewhere (old)/mine#2")
    assert (proxy.name, proxy.formula.text) == ("mine#2", SECOND)


@pytest.mark.parametrize("number", ["0", "3", "-1", "x", "", "1.0", "²", "1#2", "9" * 5000])
def test_a_number_that_an_archive_does_not_have(number):
    make_run("runs/mine")
    with pytest.raises(InputError, match="expected #1 to #2 of its archive, got #") as caught:
        load(f"mine#{number}")
    assert str(caught.value).endswith(f"#{number}"[-500:])


def test_an_archive_that_is_not_written_yet():
    run = make_run("runs/mine", finished=False)
    (run / "archive.json").unlink()
    with pytest.raises(InputError, match="before it had a formula; `eznas resume mine`"):
        load("mine")


@pytest.mark.parametrize(
    ("file", "content", "message"),
    [
        ("champion.json", {}, r"champion\.json: measurement: Field required"),
        ("champion.json", [], r"champion\.json: content: "),
        (
            "champion.json",
            CHAMPION_FILE | {"raw_batch": 10**12},
            r"champion\.json: raw_batch: .*4096",
        ),
        (
            "champion.json",
            {key: CHAMPION_FILE[key] for key in CHAMPION_FILE if key != "formula"},
            r"champion\.json: formula: Field required",
        ),
        (
            "champion.json",
            CHAMPION_FILE | {"formula": 3},
            r"champion\.json: formula: .*string",
        ),
        (
            "champion.json",
            CHAMPION_FILE | {"formula": "parms"},
            r"runs/mine/champion\.json: formula: unknown name 'parms'",
        ),
        ("champion.json", CHAMPION_FILE | {"formula": "\x1b[31m"}, r"position 1, at '\\x1b'"),
    ],
)
def test_a_run_with_a_bad_champion(file, content, message):
    run = make_run("runs/mine")
    (run / file).write_text(json.dumps(content))
    with pytest.raises(InputError, match=message) as caught:
        load("mine")
    assert str(caught.value).isprintable()


@pytest.mark.parametrize(
    ("archive", "message"),
    [
        ([], r"mine/archive\.json: content: "),
        ({"formulas": {}}, r"mine/archive\.json: formulas: .*list"),
        ({"formulas": [3]}, r"mine/archive\.json: formulas\.0: "),
        (
            {"formulas": [{"formula": BEST}, {"coverage": 1.0}]},
            r"mine/archive\.json: formulas\.1\.formula: Field required",
        ),
        (
            {"formulas": [{"formula": BEST, "coverage": "all"}]},
            r"mine/archive\.json: formulas\.0\.coverage: .*number",
        ),
        ({"raw_batch": 10**12}, r"mine/archive\.json: raw_batch: .*4096"),
        (
            {"formulas": [{"formula": "parms"}]},
            "run runs/mine: mine#1: formula: unknown name 'parms'",
        ),
    ],
)
def test_a_run_with_a_bad_archive(archive, message):
    content = archive if isinstance(archive, list) else ARCHIVE_FILE | archive
    (make_run("runs/mine") / "archive.json").write_text(json.dumps(content))
    with pytest.raises(InputError, match=message):
        load("mine#1")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"colour": 1}, "colour: Extra inputs"),
        ({"measurement": 3}, "measurement: .*list"),
        ({"fingerprint": [3]}, r"fingerprint\.0: .*string"),
        ({"evidence": [3]}, r"evidence\.0: .*dictionary"),
    ],
)
def test_a_bad_champion_is_not_exported(change, message):
    run = make_run("runs/mine")
    (run / "champion.json").write_text(json.dumps(CHAMPION_FILE | change))
    with pytest.raises(InputError, match=rf"mine/champion\.json: .*{message}"):
        export("mine", "new.json")


def test_a_run_is_exported_with_its_measurement_and_evidence():
    make_run("runs/mine")
    assert export("mine", "new.json") == CHAMPION_FILE
    second = export("mine#2", "second.json")
    assert {key: second[key] for key in MEASURED} == MEASURED
    assert (second["name"], second["formula"], second["evidence"]) == ("mine#2", SECOND, [])
    assert second["coverage"] == 1.0


def test_a_folder_with_control_characters_in_its_name():
    make_run("runs/a\x1b[31m")
    with pytest.raises(InputError, match="expected printable characters"):
        load("a\x1b[31m")


def test_a_formula_of_several_lines_has_a_name_of_one():
    assert load("params\n  * 2").name == "params * 2"
    export("params\n  * 2", "mine.json")
    assert load("mine.json").name == "params * 2"


def test_a_file():
    export("params", "mine.json")
    proxy = load("mine.json")
    assert (proxy.name, proxy.formula.text) == ("params", "params")


def test_a_classic_comes_before_a_run_of_its_name():
    make_run("runs/hybrid")
    assert load("hybrid").formula.text == parse(CLASSICS["hybrid"].formula).text
    assert load("runs/hybrid").formula.text == CHAMPION


@pytest.mark.parametrize(
    ("text", "nearest"),
    [("hybird", "hybrid"), ("mien", "mine"), ("mien#1", "mine"), ("nasw0t", "naswot")],
)
def test_the_nearest_name(text, nearest):
    make_run("runs/mine")
    with pytest.raises(InputError, match=f"did you mean '{nearest}'"):
        load(text)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("weight", "NetScalar"),
        ("sum_layers", r"sum_layers is a primitive that takes arguments: expected '\('"),
        ("sum_layers(#)", "position 12"),
        ("params # 2", "unknown run"),
        ("folder", "unknown proxy"),
        ("nothing#1", "unknown run 'nothing'"),
        ("params + " * 100, "nested deeper than 60 levels"),
    ],
)
def test_a_text_that_names_no_proxy(text, message):
    Path("folder").mkdir()
    with pytest.raises(InputError, match=message):
        load(text)
