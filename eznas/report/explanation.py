"""An explanation of a formula, for a terminal and for a page: what matters comes first."""

from collections.abc import Iterator, Mapping, Sequence
from textwrap import wrap
from typing import Any

from eznas.formulas.expression import rounded
from eznas.formulas.parser import parse
from eznas.report.cells import UNDEFINED, WIDTH, bare
from eznas.report.formulas import formula_lines
from eznas.report.markdown import code, interval, number, table, text

LEAST, SHOWN = 3, 5  # parts, at least and at most, unless all are asked for
_INDENTED: dict[str, Any] = {"initial_indent": "    ", "subsequent_indent": "    "}
_WHOLE_WORDS: dict[str, Any] = {"break_long_words": False, "break_on_hyphens": False}


def explanation_lines(
    content: Mapping[str, Any], width: int = WIDTH, everything: bool = False
) -> list[str]:
    """The lines of an explanation, `content`: an `eznas.Explanation` as a dict; of many parts those
    that matter most, or `everything`."""
    parts: Sequence[Mapping[str, Any]] = content["parts"]
    shown = parts if everything else parts[: _shown(content)]
    lines = [*_heading(content, width), ""]
    for part in shown:
        lines += _part_lines(part, content["kind"], width)
    lines += [*_rest(content, len(shown)), *_constants(content, width)]
    names = dict.fromkeys(name for part in shown for name in part["statistics"])
    rows = {row["statistic"]: row for row in content["statistics"]}
    lines += ["", "where"]
    for name in names:
        lines += _statistic_lines(rows[name], width)
    return lines


def described_explanation(content: Mapping[str, Any]) -> str:
    """The first sentence of the section of an explanation."""
    heading, *_ = _heading(content, WIDTH)
    return heading


def tables_of_explanation(content: Mapping[str, Any]) -> Iterator[str]:
    """All parts of a formula and what they are worth, as Markdown."""
    _, *on = _heading(content, 10**6)
    yield "\n".join(on)
    columns = [("part", code("part")), ("share of the spread", number("share", ".1%"))]
    columns.append(("tau lost without it [95 %]", interval("lost", "low", "high")))
    columns += [("tau alone", number("alone", "+.3f")), ("", text("remark"))]
    yield table(columns, [{**part, **_cells(part)} for part in content["parts"]])
    yield "\n".join([*_rest(content, len(content["parts"])), *_constants(content, WIDTH)])


def _cells(part: Mapping[str, Any]) -> dict[str, str]:
    """A part with its weight, and what is said of it."""
    constant = "the same for all networks" if part["constant"] else ""
    remark = "can be left out" if part["spared"] else ""
    return {
        "part": _weighted(part),
        "remark": ", ".join(filter(None, (constant, remark))),
    }


def _weighted(part: Mapping[str, Any]) -> str:
    weight = {1: "", -1: "-"}.get(part["weight"], f"{part['weight']:.4g} * ")
    return f"{weight}{rounded(parse(part['formula'])).text}"


def _shown(content: Mapping[str, Any]) -> int:
    core = content["core"]
    matter = len(content["parts"]) if core is None else core["parts"]
    return min(max(matter, LEAST), SHOWN) if len(content["parts"]) > SHOWN else SHOWN


def _heading(content: Mapping[str, Any], width: int) -> Iterator[str]:
    count = len(content["parts"])
    what = {
        "sum": f"a weighted sum of {count} terms",
        "product": f"a product of {count} factors",
        "single": "one term",
    }[content["kind"]]
    size = parse(content["formula"]).size
    yield f"{content['proxy']}: {what}, {size} nodes"
    taus = content["tau"]
    of_datasets = ", ".join(f"{_text(tau)} on {dataset}" for dataset, tau in taus.items())
    mean = f"{_text(content['mean_tau'])}, the mean of " if len(taus) > 1 else ""
    networks = "; ".join(
        f"{row['networks']} networks of {row['space']} ({row['set']}), {row['accuracy']} accuracy"
        + _seen(row)
        for row in content["sets"]
    )
    yield from wrap(f"tau {mean}{of_datasets}; {networks}", width)


def _seen(of_space: Mapping[str, Any]) -> str:
    seen = of_space.get("seen")
    return f"; its search has seen {seen} accuracies of this space" if seen else ""


def _part_lines(part: Mapping[str, Any], kind: str, width: int) -> Iterator[str]:
    yield from wrap(f"* {_weighted(part)}", width, subsequent_indent="  ", **_WHOLE_WORDS)
    if part["words"] != rounded(parse(part["formula"])).text:
        yield from wrap(part["words"], width, **_INDENTED)
    if kind == "single":
        return
    facts = [] if part["share"] is None else [_share(part["share"])]
    if part["constant"]:
        facts.append("the same for all networks")
    elif part["lost"] is not None:
        between = f"[{_text(part['low'])}, {_text(part['high'])}]"
        facts.append(f"tau lost without it {_text(part['lost'])} {between}")
        facts.append(f"alone {_text(part['alone'])}")
    if part["spared"]:
        facts.append("can be left out")
    yield from wrap("; ".join(facts), width, **_INDENTED)


def _rest(content: Mapping[str, Any], shown: int) -> Iterator[str]:
    parts, core = content["parts"], content["core"]
    rest = parts[shown:]
    if rest:
        share = _share(sum(part["share"] or 0.0 for part in rest))
        yield f"and {len(rest)} more, together {share} (--all shows them)"
    if core is not None:
        yield f"{core['parts']} of the {len(parts)} alone: tau {_text(core['tau'])}"


def _constants(content: Mapping[str, Any], width: int) -> Iterator[str]:
    for formula, value in content["constants"].items():
        yield f"{formula} is {value:.4g} for all of these networks"
    if content["reduced"] == "":
        yield "so all of them have the same score"
    elif content["reduced"] is not None:
        yield "so on these networks the formula orders as"
        yield from (f"  {line}" for line in formula_lines(content["reduced"], width - 2))


def _statistic_lines(row: Mapping[str, str], width: int) -> list[str]:
    source = f"; {row['source']}" if row["source"] else ""
    how = "of the network as it stands" if row["probe"] == "structure" else f"probe {row['probe']}"
    text = f"  {row['statistic']}: {row['meaning']} ({how}{source})"
    return wrap(text, width, subsequent_indent="    ")


def _share(share: float) -> str:
    percent = round(100 * share)
    return f"{percent} % of the spread{', against the others' if percent < 0 else ''}"


def _text(value: float | None) -> str:
    return UNDEFINED if value is None else bare(value)
