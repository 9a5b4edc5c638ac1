"""`--save FOLDER`: rows, plots and a page, of every command that measures."""

import json
from pathlib import Path

import pytest

from eznas.cli import speed, studies
from eznas.studies.saving import page_of
from tests.cli.calls import FEW, NOTHING, POOLS, SMALL, answer, call, complaint

ONE = (*FEW, "--dataset", SMALL)
SPEED = {
    "formulas": 2,
    "networks": 8,
    "rates": {"disk_loop": 1.5},
    "ratios": {"plan_evolving / disk_loop": 2.0},
    "floor_ratio": 3.0,
    "bandwidth_gb_s": 4.0,
    "peak_mb": 5,
    "measure_seconds": {},
    "scoring": {},
    "slopes": {"networks": 1.0},
    "device": "cpu",
}


def saved(folder, name):
    """The saved content; its page must be the one that is made from it."""
    path = Path(folder, f"{name}.json")
    assert Path(folder, "README.md").read_text() == page_of(Path(folder))
    return json.loads(path.read_text())


def test_correlate_saves_what_it_prints():
    command = ("correlate", "depth", "params", *ONE, "--against", "params")
    printed = answer(*command, "--save", "saved/rows")
    content = saved("saved/rows", "rows")
    assert content["command"] == " ".join(["eznas", *command, "--json"])
    assert content["plots"] == ["rows.png", "rows-tau.png"]
    assert printed["plots"] == ["saved/rows/rows.png", "saved/rows/rows-tau.png"]
    for part in ("rows", "difference"):
        assert content[part] == printed[part]
    assert {p.name for p in Path("saved/rows").iterdir()} == {
        *content["plots"],
        "rows.json",
        "README.md",
    }
    page = Path("saved/rows/README.md").read_text()
    assert "`params` minus" in page


def test_a_file_of_another_name_and_a_plot_elsewhere():
    command = ("correlate", "-1.0 * params", *ONE, "--plot", "elsewhere.png")
    assert call(*command, "--save=saved/named/few.json").code == 0
    content = saved("saved/named", "few")
    assert content["plots"] == ["few.png", "few-tau.png"]
    assert "'-1.0 * params'" in content["command"]
    assert "--save" not in content["command"]
    assert Path("elsewhere.png").exists()


def test_combine_agreement_and_speed_save(monkeypatch):
    assert (
        call("combine", "depth", "params", *ONE, "--steps", "2", "--save", "saved/more").code == 0
    )
    assert saved("saved/more", "combine")["plots"] == ["combine.png"]
    Path("two.csv").write_text(f"architecture,params\n{NOTHING},1\n{POOLS},2\n")
    command = ("agreement", "two.csv", "--networks", "2", "--dataset", SMALL, "--workers", "1")
    assert call(*command, "--batch", "4", "--save", "saved/more").code == 0
    assert [row["proxy"] for row in saved("saved/more", "agreement")["rows"]] == ["params"]
    monkeypatch.setattr(speed, "measure_speed", lambda *_, **__: SPEED)
    assert call("speed", "--save", "saved/more").code == 0
    assert saved("saved/more", "speed") == {"command": "eznas speed", **SPEED}
    page = Path("saved/more/README.md").read_text()
    assert "| `rates disk_loop` | 1.5 |" in page
    assert [line for line in page.splitlines() if line.startswith("## ")] == [
        "## agreement",
        "## combine",
        "## speed",
    ]


def test_what_cannot_be_saved_is_refused_before_anything_is_measured(monkeypatch):
    Path("saved-run").mkdir()
    Path("saved-run/config.json").write_text("{}")
    monkeypatch.setattr(studies.eznas, "correlate", pytest.fail)
    assert "the folder of a run" in complaint("correlate", "params", *ONE, "--save", "saved-run")
    text = complaint("correlate", "params", *ONE, "--save", "text.txt/below")
    assert "is no folder that can be written" in text
