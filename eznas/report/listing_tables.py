"""Lists: scored models, proxies, ground truth and the checks of a machine."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from rich.table import Table
from rich.text import Text

from eznas.report.cells import interval_texts, new_table, sample_title, shortened

_LONGEST_REASON = 12  # letters of a reason in a table
_STATE = {"ok": "dim", "note": "bold blue", "fault": "bold red"}


def score_table(scores: Sequence[Mapping[str, Any]]) -> Table:
    """Models by the score of one proxy; `scores` are in this order already, the highest first.
    Where models have no score, a column says why, or `reason_lines` do."""
    proxies = dict.fromkeys(row["proxy"] for row in scores)
    table = new_table("".join(f"scores of {shortened(proxy, 60)}" for proxy in proxies))
    table.add_column("rank", justify="right", no_wrap=True)
    table.add_column("model", overflow="fold", min_width=8)
    for heading in ("score", "seconds"):
        table.add_column(heading, justify="right", no_wrap=True)
    with_reasons = any(row["reason"] for row in scores)
    if with_reasons:
        table.add_column("reason", overflow="fold")
    form = _score_form([row["score"] for row in scores if row["score"] is not None])
    for rank, row in enumerate(scores, 1):
        score = "" if row["score"] is None else format(row["score"], form)
        cells = (str(rank), row["model"], score, f"{row['seconds']:.2f}")
        table.add_row(*map(Text, cells), *([Text(_short(row))] if with_reasons else []))
    return table


def reason_lines(scores: Sequence[Mapping[str, Any]]) -> list[str]:
    """One line for each model whose reason is too long for `score_table`."""
    long = [(row["model"], row["reason"]) for row in scores if _short(row) != row["reason"]]
    return [reason if reason.startswith(name) else f"{name}: {reason}" for name, reason in long]


def proxy_table(rows: Sequence[Mapping[str, Any]]) -> Table:
    """Published proxies; `rows` as `eznas.proxies.listing.list_proxies` returns them."""
    table = Table(title="published", title_justify="left", show_lines=True)
    for heading in ("proxy", "formula", "source and note"):
        table.add_column(heading, overflow="fold")
    for row in rows:
        source = "; ".join(part for part in (row["source"], row["note"]) if part)
        table.add_row(Text(_names(row)), Text(row["formula"]), Text(source))
    return table


def discovered_lines(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """Discovered proxies with tau on networks that took no part in their search; `rows` as
    `eznas.proxies.listing.list_discovered` returns them."""
    lines = ["discovered (`eznas show NAME` prints a formula), with tau [95 %]:"]
    for row in rows:
        evidence = row["evidence"]
        intervals = interval_texts([(e["tau"], e["tau_low"], e["tau_high"]) for e in evidence])
        seen = ", ".join(f"{count} of {space}" for space, count in row["labels"].items())
        lines += [
            " = ".join([row["proxy"], *row["aliases"]]),
            *(f"  {e['dataset']} {text}" for e, text in zip(evidence, intervals, strict=True)),
            *(f"  on {title}" for title in dict.fromkeys(map(sample_title, evidence))),
            f"  networks whose accuracies its search saw: {seen}",
            f"  probes: {', '.join(row['probes'])}, on {row['raw_batch']} images "
            f"({row['sketch_batch']} for sketches)",
        ]
    return lines


def _names(row: Mapping[str, Any]) -> str:
    """The name of a proxy, and its aliases below."""
    return "\n".join([row["proxy"], *(f"= {alias}" for alias in row["aliases"])])


def word_table(rows: Sequence[Mapping[str, str]]) -> Table:
    """The words of formulas; `rows` as `eznas.formulas.vocabulary.words` returns them."""
    table = Table(show_lines=True)
    for heading in ("word", "type", "meaning"):
        table.add_column(heading, overflow="fold")
    for row in rows:
        table.add_row(*(Text(row[key]) for key in ("word", "type", "meaning")))
    return table


def data_table(rows: Sequence[Mapping[str, Any]]) -> Table:
    """Ground truth, a row per space; `rows` as `eznas.benchmarks.importing.tables` returns them."""
    table = new_table("ground truth")
    for heading in ("space", "here", "official file"):
        table.add_column(heading, overflow="fold")
    for row in rows:
        source = row["source"]
        official = "none known: a CSV file" if source is None else source["file"]
        table.add_row(Text(row["space"]), Text(_availability(row)), Text(official))
    return table


def curve_table(rows: Sequence[Mapping[str, Any]]) -> Table:
    """Learning curves, a row per name; `rows` as `eznas.benchmarks.curve_importing.curve_tables`
    returns them."""
    table = new_table("learning curves")
    for heading in ("name", "here", "what they are"):
        table.add_column(heading, overflow="fold")
    for row in rows:
        here = imported_curves(row) if row["here"] == "imported" else _absence(row)
        table.add_row(Text(row["name"]), Text(here), Text(row["about"]))
    return table


def source_lines(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """One line per official file: where it is, its licence and checksum; `rows` as
    `eznas.benchmarks.importing.tables` and `curve_tables` return them."""
    lines = {}
    for source in (row["source"] for row in rows if row["source"]):
        checksum = source["sha256"] and f"SHA-256 {source['sha256']}"
        facts = (source["url"], source["how"], f"licence {source['licence']}", checksum)
        lines[source["file"]] = f"{source['file']}: {'; '.join(fact for fact in facts if fact)}"
    return list(lines.values())


def imported(summary: Mapping[str, Any]) -> str:
    """One line about an imported table; `summary` as `eznas.benchmarks.importing.import_table`
    returns it."""
    ranges = (f"{d} {low:.2f} to {high:.2f} %" for d, (low, high) in summary["datasets"].items())
    origin, runs = summary["origin"], summary["runs"]
    return (
        f"{summary['networks']} networks, {f'up to {runs} runs, ' if runs > 1 else ''}"
        f"{summary['kind']} accuracy: {', '.join(ranges)}; "
        f"from {origin['file']}, SHA-256 {origin['sha256'][:12]}"
    )


def imported_curves(summary: Mapping[str, Any]) -> str:
    """One line about imported learning curves; `summary` as
    `eznas.benchmarks.curve_importing.import_curves` returns it."""
    origin, (first, last), points = summary["origin"], summary["epochs"], summary["points"]
    where = f"epochs {first} to {last}" if last > first else f"epoch {first}"
    return (
        f"{summary['networks']} networks on {', '.join(summary['datasets'])}, "
        f"{' and '.join(summary['values'])} at {points} of {summary['total_epochs']} epochs "
        f"({where}); from {origin['file']}, SHA-256 {origin['sha256'][:12]}"
    )


def check_table(rows: Sequence[Mapping[str, str]]) -> Table:
    """The checks of a machine, one in a row; `rows` as `eznas.cli.checks.Check` has them."""
    table = new_table("this machine")
    table.add_column("check", no_wrap=True)
    table.add_column("state", no_wrap=True)
    table.add_column("found", overflow="fold")
    for row in rows:
        state = Text(row["state"], style=_STATE[row["state"]])
        table.add_row(Text(row["name"]), state, Text(row["found"]))
    return table


def remedy_lines(rows: Sequence[Mapping[str, str]]) -> list[str]:
    """One line for each check that is not ok: what to do about it."""
    return [f"{row['name']}: {row['remedy']}" for row in rows if row["remedy"]]


def _short(row: Mapping[str, Any]) -> str:
    """A reason as a word."""
    reason: str = row["reason"]
    if len(reason) <= _LONGEST_REASON:
        return reason
    return "failed" if row.get("failed") else "undefined"


def _score_form(scores: Sequence[float]) -> str:
    """The format of scores: as many decimals for all as show 6 digits of the largest and at least 4
    of the smallest, or none for whole numbers; powers of ten where that would be too long."""
    sizes = [abs(score) for score in scores if score]
    if not sizes:
        return ".0f"
    largest, smallest = (math.floor(math.log10(size)) for size in (max(sizes), min(sizes)))
    whole = all(size == round(size) for size in sizes)
    decimals = 0 if whole else max(0, 5 - largest, 3 - smallest)
    return f".{decimals}f" if largest < 12 and decimals <= 8 else ".5e"


def _availability(row: Mapping[str, Any]) -> str:
    return imported(row) if row["here"] == "imported" else _absence(row)


def _absence(row: Mapping[str, Any]) -> str:
    return f"damaged: {row['problem']}" if row["here"] == "damaged" else str(row["here"]) or "-"
