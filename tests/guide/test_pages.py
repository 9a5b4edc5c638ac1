"""Examples of the guide run, and print what the pages say."""

import json
import re

import pytest

from eznas.discovery.config import Config, keys
from tests.guide.pages import PAGES, README, blocks, differences, elided, own_folder, remade

RUNNABLE = [topic for topic, path in PAGES.items() if blocks(path.read_text(encoding="utf-8"))]
WITH_SLOW = [t for t in RUNNABLE if "<!-- run slow -->" in PAGES[t].read_text(encoding="utf-8")]


def check(topic, slow):
    with own_folder():
        results = list(remade(PAGES[topic].read_text(encoding="utf-8"), slow))
    assert not [d for r in results for d in differences(r.block.content, r.content)], (
        "the page shows something else: `python -m tests.guide.pages` writes what is printed today"
    )


@pytest.mark.parametrize("topic", RUNNABLE)
def test_its_examples_run(topic):
    check(topic, slow=False)


@pytest.mark.slow
@pytest.mark.parametrize("topic", WITH_SLOW)
def test_its_long_examples_run(topic):
    check(topic, slow=True)


def test_the_readme_s_example_runs(capsys):
    [code] = re.findall(r"```python\n(.*?)```", README.read_text(encoding="utf-8"), re.DOTALL)
    assert len([line for line in code.splitlines() if line]) == 5
    few = code.replace("networks=100)", "networks=4, raw=2, sketch=4)")
    assert few != code
    with own_folder():
        exec(compile(few, "README.md", "exec"), {})
    naswot, tau = map(float, capsys.readouterr().out.split())
    assert naswot > 0
    assert -1 <= tau <= 1


def test_every_configuration_key_is_in_the_guide_with_its_default():
    page = PAGES["evolve"].read_text(encoding="utf-8")
    section = page.partition("\n## Configuration\n")[2].partition("\n## ")[0]
    cells = [
        re.split(r"(?<!\\) \| ", line.strip("| "))
        for line in section.splitlines()
        if line.startswith("| `")
    ]
    defaults = {row[0].strip("`"): row[1] for row in cells if len(row) == 3}
    assert list(defaults) == list(keys())
    tree = Config().model_dump()
    for key, text in defaults.items():
        section, _, name = key.rpartition(".")
        value = tree[section][name] if section else tree[name]
        if name in ("statistics", "primitives"):
            assert text.split()[0] == str(len(value))
        else:
            assert text == ("none" if value is None else json.dumps(value))


@pytest.mark.parametrize(
    ("shown", "printed"),
    [
        ("tau 0.5001", "tau 0.5002"),
        ("3 networks in 1m 12s", "3 networks in 7s"),
        ("tau .7171", "tau .7172"),
        ("┃ a ┃ seconds ┃\n│ x │    0.36 │", "┃ a   ┃ seconds ┃\n│ x   │   12.00 │"),
    ],
)
def test_rounding_blanks_and_seconds_are_no_difference(shown, printed):
    assert not differences(shown, printed)


@pytest.mark.parametrize(
    ("shown", "printed"),
    [
        ("tau 0.50", "tau 0.51"),
        ("tau .50", "tau -.50"),
        ("tau 0.50", "rho 0.50"),
        ("one", "one\ntwo"),
        ("┃ a ┃ score ┃\n│ x │    0.36 │", "┃ a ┃ score ┃\n│ x │   12.00 │"),
    ],
)
def test_anything_else_is_a_difference(shown, printed):
    assert differences(shown, printed)


def test_lines_may_be_left_out():
    assert elided("a\n...\nc\n", "1\n2\n3\n4\n") == "1\n...\n4\n"
    assert elided("a\n...\n", "1\n2\n3\n") == "1\n...\n"
    assert elided("a\n", "1\n2\n") == "1\n2\n"
