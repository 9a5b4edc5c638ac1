"""The commented configuration: as it is, and with its comments taken away."""

import re

import pytest

from eznas.discovery.config import PRESETS, keys, read
from eznas.discovery.config_file import commented
from eznas.errors import InputError


@pytest.mark.parametrize("preset", PRESETS)
def test_with_and_without_comments_it_is_the_preset(preset, tmp_path):
    text, file = commented(preset), tmp_path / "evolve.toml"
    file.write_text(text)
    assert read(file) == read(preset=preset)
    is_setting = re.compile(r"# (\w+ = .*|    .*,|\])$")
    lines = [line for line in text.splitlines() if not line.endswith("# none")]
    lines = [line[2:] if is_setting.match(line) else line for line in lines]
    assert sum(" = " in line for line in lines) > 30
    file.write_text("\n".join(lines))
    assert read(file) == read(preset=preset)


def test_every_setting_is_in_it_after_what_it_means():
    text = commented()
    for key in keys():
        assert re.search(rf"\n# [^\n]+\.\n# {key.rpartition('.')[2]} = ", text)


def test_choices_are_named():
    assert "task by task. One of tournament, lexicase.\n# selection = " in commented()


def test_an_unknown_preset():
    with pytest.raises(InputError, match="unknown preset"):
        commented("fast")
