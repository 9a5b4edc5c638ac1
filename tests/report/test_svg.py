"""Figures inside a page: its colours, its font, nothing from elsewhere."""

import re
from xml.etree import ElementTree

from eznas.formulas.parser import parse
from eznas.report.figure import COLOURS, INK, SCHEMES, TEXT, new_figure, style
from eznas.report.formula_plot import formula_svg
from eznas.report.svg import svg
from tests.report.made_up_report import FORMULA


def drawn(name="a"):
    figure = new_figure(3, 2)
    axes = figure.subplots()
    style(axes)
    axes.plot([0, 1], [0, 1], "o", color=COLOURS[0])
    axes.set_xlabel("a < b & $c$", **TEXT)
    return svg(figure, name, "a < b & \\1")


def elements(text):
    return ElementTree.fromstring(text.replace("xlink:href", "href"))


def test_colours_are_those_of_the_page():
    text = drawn()
    assert not re.search(r"#[0-9a-f]{6}\b(?=[;\"])", text)
    used = set(re.findall(r"var\(--(\w+)\)", text))
    assert {"page", "ink", "blue", "font"} == used
    assert used - {"font"} <= set(SCHEMES)
    assert SCHEMES["ink"][0] == INK


def test_texts_are_escaped_and_whole():
    root = elements(drawn())
    assert root.find("title").text == "a < b & \\1"
    assert "a < b & $c$" in ["".join(e.itertext()) for e in root.iter("text")]


def test_equal_figures_are_equal_and_names_keep_their_parts_apart():
    assert drawn() == drawn()
    ids = [set(re.findall(r'id="([^"]*)"', drawn(name))) for name in "ab"]
    assert ids[0]
    assert not ids[0] & ids[1]


def test_a_formula_is_drawn_without_fonts():
    root = elements(formula_svg(parse(FORMULA)))
    assert not list(root.iter("text"))
    assert list(root.iter("use"))
    assert re.fullmatch(r"--width: [\d.]+pt", root.get("style"))
