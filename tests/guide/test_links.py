"""Links lead somewhere: files exist, headings exist, and so do the paths that prose names."""

import re

import pytest

from tests.guide.pages import GUIDE, README, ROOT

DOCUMENTS = [
    README,
    *sorted(GUIDE.glob("*.md")),
    *sorted((ROOT / "runs").glob("**/*.md")),
    *sorted((ROOT / ".github").glob("*.md")),
]
_FENCE = re.compile(r"^```.*?^```$", re.DOTALL | re.MULTILINE)
_LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")
_CODE = re.compile(r"`([^`]+)`")
_PATH = re.compile(r"\b(?:eznas|primitives|tests|runs)/[\w./-]+\.\w+|\.(?:ci|github)/[\w.-]+")
# what a reader makes
EXAMPLES = {"runs/NAME", "runs/first", "runs/first/README.md", "runs/digits/README.md"}


def prose(path):
    return _FENCE.sub("", path.read_text(encoding="utf-8"))


def anchors(path):
    """As GitHub makes them of headings."""
    headings = re.findall(r"^#+ (.*)$", prose(path), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def broken_links(path):
    for link in _LINK.findall(prose(path)):
        if "://" in link:
            continue
        file, _, anchor = link.partition("#")
        target = (path.parent / file).resolve() if file else path
        if not target.is_relative_to(ROOT) or not target.exists():
            yield f"{link}: no such file"
        elif anchor and anchor not in anchors(target):
            yield f"{link}: no such heading"


def missing_files(path):
    for code in _CODE.findall(path.read_text(encoding="utf-8")):
        for name in _PATH.findall(code):
            if name not in EXAMPLES and not (ROOT / name).exists():
                yield name


def by_name(path):
    return path.relative_to(ROOT).as_posix()


@pytest.mark.parametrize("document", DOCUMENTS, ids=by_name)
def test_every_link_leads_somewhere(document):
    assert not list(broken_links(document))


@pytest.mark.parametrize("document", DOCUMENTS, ids=by_name)
def test_every_file_that_is_named_exists(document):
    assert not list(missing_files(document))


def test_every_page_is_linked_from_another():
    linked = {
        (path.parent / link.partition("#")[0]).resolve()
        for path in DOCUMENTS
        for link in _LINK.findall(prose(path))
    }
    assert set(GUIDE.glob("*.md")) <= linked


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("[a](nowhere.md)", "nowhere.md: no such file"),
        ("# A\n[a](#b)", "#b: no such heading"),
        ("![a](nowhere.png)", "nowhere.png: no such file"),
        ("[a](../../..)", "../../..: no such file"),
    ],
)
def test_a_broken_link_is_noticed(tmp_path, monkeypatch, text, problem):
    monkeypatch.setattr("tests.guide.test_links.ROOT", tmp_path)
    page = tmp_path / "page.md"
    page.write_text(text)
    assert list(broken_links(page)) == [problem]


def test_headings_are_named_as_on_github(tmp_path):
    page = tmp_path / "page.md"
    page.write_text("# What it can't do, yet\n```sh\n# no heading\n```\n## `eznas`: NAS-Bench\n")
    assert anchors(page) == {"what-it-cant-do-yet", "eznas-nas-bench"}
