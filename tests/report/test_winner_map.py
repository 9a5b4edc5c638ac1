"""The map of winners as a picture."""

import pytest
from matplotlib.image import imread

from eznas.errors import InputError
from eznas.report import winner_map as module
from eznas.report.winner_map import winner_map
from eznas.studies.budgets import SIZES
from tests.report.made_up_budgets import content


def test_a_picture_of_both_maps(tmp_path):
    maps = content()["maps"]
    winner_map(tmp_path / "map.png", maps)
    pixels = imread(tmp_path / "map.png")
    assert pixels.shape[1] > pixels.shape[0]  # side by side
    assert pixels.std() > 0.05
    winner_map(tmp_path / "again.png", maps)
    assert (tmp_path / "again.png").read_bytes() == (tmp_path / "map.png").read_bytes()


def test_many_winners_look_different_and_have_room(tmp_path):
    names = [f"predictor_{i}" for i in range(60)]
    looks = [tuple(module._look(number).values()) for number in range(60)]
    assert len(set(looks)) == 60
    winner_map(tmp_path / "few.png", content(sizes=(5,))["maps"])
    winner_map(tmp_path / "many.png", content(sizes=SIZES[:5], wins=names)["maps"])
    few, many = (imread(tmp_path / f"{name}.png").shape for name in ("few", "many"))
    assert many[0] > few[0]  # for the legend


def test_a_map_without_winners_and_names_that_cannot_be_drawn(tmp_path):
    maps = content(sizes=(5,), wins=["$a_b", "\x1b[31m", "x" * 300])["maps"]
    for cell in maps[1]["cells"]:
        cell["winner"] = None
    winner_map(tmp_path / "map.png", maps)
    assert imread(tmp_path / "map.png").shape[2] == 4


def test_files_that_cannot_be_written(tmp_path):
    with pytest.raises(InputError, match=r"expected a name that ends in \.png"):
        winner_map(tmp_path / "map.pdf", [])
    with pytest.raises(InputError, match="cannot write"):
        winner_map(tmp_path / "none" / "map.png", content(sizes=(5,))["maps"])
