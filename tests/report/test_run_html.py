"""The HTML report: whole, self-contained, escaped, with the numbers that it was given."""

import re
from html.parser import HTMLParser

import pytest

from eznas.report.run_html import run_html
from tests.report.made_up_report import DATASET, NAME, content, generation, result, row, unmeasured

LARGEST = 2_000_000  # bytes
VOID = {"meta", "wbr", "link", "br", "img", "use", "path"}
FETCHING = {"src", "href", "xlink:href", "action", "data", "poster", "srcset", "background"}


class Page(HTMLParser):
    """What a page says, by the id of its section ("" for none), and what it names to be fetched;
    elements that are closed in a wrong order raise."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.open, self.texts, self.fetched, self.ids, self.section = [], {}, [], [], ""
        self.feed(html)
        self.close()
        assert not self.open

    def handle_starttag(self, tag, attributes):
        if tag not in VOID:
            self.open.append(tag)
        self._noted(tag, dict(attributes))

    def handle_startendtag(self, tag, attributes):
        self._noted(tag, dict(attributes))

    def handle_endtag(self, tag):
        if tag not in VOID:
            assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open and self.open[-1] != "style":
            self.texts[self.section] = f"{self.texts.get(self.section, '')} {data}"

    def _noted(self, tag, attributes):
        if "id" in attributes:
            self.ids.append(attributes["id"])
        if tag == "section":
            self.section = attributes["id"]
        self.fetched += [value for key, value in attributes.items() if key in FETCHING]

    def text(self, section: str = "") -> str:
        return " ".join(self.texts[section].split())


@pytest.fixture(scope="module")
def html() -> str:
    return run_html(content())


@pytest.fixture(scope="module")
def page(html) -> Page:
    return Page(html)


def test_it_needs_nothing_else(html, page):
    inside = [name for name in page.fetched if name.startswith("#") or name == "data:,"]
    assert page.fetched == inside
    assert {name[1:] for name in inside if name != "data:,"} <= set(page.ids)
    assert not re.search(r"https?:|//\w|@import|url\((?!#)|<script", html)
    assert len(page.ids) == len(set(page.ids))
    assert len(html.encode()) < LARGEST


def test_all_sections_are_there(page):
    sections = ["formula", "baselines", "front", "search", "parts", "scores", "size", "environment"]
    assert [name for name in page.texts if name] == sections
    assert set(sections) < set(page.ids)


def test_names_are_escaped(html, page):
    assert NAME not in html
    assert "cifar<10>" not in html
    assert page.text("baselines").count(NAME) == 1
    assert DATASET in page.text("scores")
    assert "eznas evolve --seed 1 --name '<run>'" in page.text("environment")
    assert "torch 2.13<0>" in page.text("environment")


def test_its_numbers_are_those_it_was_given(page):
    assert "1,234 formulas in 1m 15s" in page.text()
    assert f".712 {DATASET} .612 to .812" in page.text()
    baselines = page.text("baselines")
    assert "champion .712 [.612, .812]" in baselines
    assert f"{NAME} .600 [.500, .700] champion ahead +.112 [+.051, +.200]" in baselines
    assert "params .346 [.246, .446] champion even +.367 [-.012, +.700]" in baselines
    assert baselines.index("params") < baselines.index("flops -")
    assert "champion .432 [.232, .632] rho .762" in page.text("size")
    assert "one standard error (.021)" in page.text("front")
    assert "#2 recommended 1 node, fitness .457 [.400, .500], searched .500" in page.text("front")
    parts = page.text("parts")
    assert "0.25 * log(params) the log of params tau lost .234 [.100, .300]" in parts
    assert "62 % of the score's spread; alone: tau .500" in parts
    assert "1 of the 2 alone: tau .540" in parts
    assert f"{DATASET}: tau .543" in page.text("scores")
    assert "not shown: 1 lowest (-inf), 1 undefined" in page.text("scores")


def test_equal_runs_have_equal_reports(html):
    assert run_html(content()) == html


def test_a_run_that_goes_on_says_so():
    page = Page(run_html(unmeasured(state="running", result=None)))
    assert [name for name in page.texts if name] == ["formula", "front", "search", "environment"]
    assert "The fittest of 3 generations so far; it has not been tested yet." in page.text()
    assert "The fittest formula so far" in page.text("formula")
    assert "on others, expect less" in page.text("front")


def test_an_interrupted_run_says_what_stopped_it():
    stopped = result(held_out=[], difference=[], stopped="SIGINT")
    page = Page(run_html(unmeasured(state="interrupted", result=stopped)))
    assert "stopped: SIGINT" in page.text()
    assert "it has not been tested yet" in page.text()


def test_a_recommended_proxy():
    """Networks were too few to evolve a formula on: there was no search."""
    few = result(
        held_out=[row("params", 0.5)],
        difference=[],
        recommended="params",
        stopped="too few",
    )
    page = Page(run_html(unmeasured(generations=[], front=[], result=few)))
    assert "16 networks are too few to evolve a formula on" in page.text()
    assert "The recommended proxy" in page.text("formula")
    assert "front" not in page.texts


def test_a_formula_of_one_part_has_no_ablation():
    page = Page(run_html(content(explanation=content().explanation | {"kind": "single"})))
    assert "parts" not in page.texts
    assert "scores" in page.texts


def test_results_of_older_versions_have_no_partial_rho():
    older = result(held_out=[row("champion", 0.5)])
    assert "older version" in Page(run_html(unmeasured(result=older))).text("size")


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"fit": False}, "the lowest tau over the tasks"),
        ({"fit": True}, "the lowest correlation (with weights fitted to other networks) over the"),
        (
            {"alike": True, "fit": False},
            "over the spaces, of shares of the tau that randomised trees reach",
        ),
        ({"alike": True, "fit": True}, "of shares of the correlation that randomised trees reach"),
    ],
)
def test_it_says_what_the_fitness_is(settings, words):
    changed = content()
    changed.config["evolution"] = changed.config.get("evolution", {}) | settings
    assert words in run_html(changed)


def test_ten_data_sets_are_no_burden():
    """The largest reports: as many networks as are drawn, on ten data sets."""
    values = [float(value) for value in range(600)]
    names = [f"space/{number}" for number in range(10)]
    html = run_html(
        content(
            scores=dict.fromkeys(names, (values, values)),
            explanation=content().explanation | {"tau": dict.fromkeys(names, 0.5)},
            generations=[generation(number, 0.5) for number in range(200)],
        )
    )
    assert len(html.encode()) < LARGEST
