"""Runs in short: a list of them, and the result of one, in which the champion stands beside the
yardsticks and the strongest baselines."""

from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Group
from rich.table import Table
from rich.text import Text

from eznas.metrics import is_mean, mean_of, verdict
from eznas.report.cells import (
    UNDEFINED,
    WIDTH,
    bare,
    interval_texts,
    open_table,
    sample_title,
    sort_key,
)
from eznas.report.correlation_tables import sections, undefined_notes

Row = Mapping[str, Any]
CHAMPION = "champion"
YARDSTICKS = ("greedy", "hybrid")  # shown whatever their tau is
STRONGEST = 2  # further baselines that are shown
_STATE = {"running": "bold blue", "damaged": "bold red", "finished": "dim"}
UNTESTED = "not tested: the run was to end without a test (evidence.networks 0)"
WORDS = {"won": "ahead", "lost": "behind", "even": "even"}


def run_table(runs: Sequence[Row]) -> Table:
    """The runs that there are, in this order; a row is an `eznas.discovery.watching.RunState`,
    `age` as people read it."""
    table = open_table()
    for heading in ("run", "state", "searched"):
        table.add_column(heading, overflow="fold", no_wrap=heading == "state")
    for heading in ("generation", "best", "age"):
        table.add_column(heading, justify="right", no_wrap=True)
    for run in runs:
        generation, best = run["generation"], run["best"]
        numbers = (
            UNDEFINED if generation is None else f"{generation}/{run['generations']}",
            UNDEFINED if best is None else bare(best),
            run["age"],
        )
        state = Text(run["state"], style=_STATE.get(run["state"], ""))
        if run["untested"]:
            state.append(", not tested")
        table.add_row(Text(run["name"]), state, Text(run["searched"]), *numbers)
    return table


def short_rows(result: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The rows of the short table: champion, yardsticks and the strongest others, by data set; the
    mean over several data sets is the last, without intervals of tau.

    `result` is as `eznas.Result` has it. A row has proxy, dataset, tau and its interval; but for
    the champion's, also that of the champion's lead (lead, low, high) and the outcome: "ahead" and
    "behind" only where the paired interval excludes zero.
    """
    rows = result["held_out"]
    paired = {(row["against"], row["dataset"]): row for row in result["difference"]}
    names = _shown(rows)
    chosen = sorted(
        (row for row in rows if row["proxy"] in names), key=lambda row: names.index(row["proxy"])
    )
    datasets = dict.fromkeys(row["dataset"] for row in rows)
    shown = [row for dataset in datasets for row in chosen if row["dataset"] == dataset]
    for mean in dict.fromkeys(dataset for _, dataset in paired if is_mean(dataset)):
        of_mean = [d for d in datasets if mean_of([d]) == mean]
        shown += [
            _mean([r for r in chosen if r["proxy"] == n and r["dataset"] in of_mean], mean)
            for n in names
        ]
    return [_with_lead(row, paired.get((row["proxy"], row["dataset"]), {})) for row in shown]


def _mean(rows: Sequence[Row], dataset: str) -> Row:
    """The row of a proxy's mean tau over data sets, without an interval."""
    taus = [row["tau"] for row in rows]
    tau = None if None in taus else sum(taus) / len(taus)
    return dict(rows[0]) | {"dataset": dataset, "tau": tau, "tau_low": None, "tau_high": None}


def _with_lead(row: Row, lead: Row) -> dict[str, Any]:
    low, high = lead.get("low"), lead.get("high")
    outcome = WORDS[verdict(low, high)] if lead else ""
    return dict(row) | {"lead": lead.get("tau"), "low": low, "high": high, "outcome": outcome}


def short_table(result: Mapping[str, Any], width: int = WIDTH) -> Group:
    """The short table for a terminal of a width; `result` as `eznas.Result` has it."""
    rows = short_rows(result)
    taus = interval_texts([(r["tau"], r["tau_low"], r["tau_high"]) for r in rows])
    columns = {"tau [95 %]": taus}
    if result["difference"]:
        leads = interval_texts([(r["lead"], r["low"], r["high"]) for r in rows], sign="+")
        columns["champion's lead [95 %]"] = [
            lead if row["outcome"] else "" for lead, row in zip(leads, rows, strict=True)
        ]
        columns[""] = [row["outcome"] for row in rows]
    title = f"tau on {sample_title(rows[0])}"
    return sections(title, "proxy", rows, columns, width, undefined_notes(rows))


def outcome_lines(differences: Sequence[Row]) -> list[str]:
    """Which baselines the champion is ahead of, even with and behind, by paired 95 % intervals: a
    line for each outcome that there is, the best first. `differences` as `eznas.Result` has
    them."""
    outcomes: dict[str, set[str]] = {}
    differences = [row for row in differences if not is_mean(row["dataset"])]
    for row in differences:
        outcomes.setdefault(row["against"], set()).add(verdict(row["low"], row["high"]))
    several = len({row["dataset"] for row in differences}) > 1
    by_line: dict[str, list[str]] = {}
    for name, of_name in outcomes.items():
        by_line.setdefault(_outcome(of_name, several), []).append(name)
    best_first = sorted(by_line, key=lambda text: ("aeb".index(text[0]), text))
    return [f"{text} {', '.join(by_line[text])}" for text in best_first]


def _outcome(outcomes: set[str], several: bool) -> str:
    """What the outcomes on all data sets come to."""
    everywhere = " (on every data set)" * several
    if len(outcomes) == 1:
        [outcome] = outcomes
        texts = {"won": f"ahead of{everywhere}", "lost": f"behind{everywhere}"}
        return texts.get(outcome, "even with")
    if {"won", "lost"} <= outcomes:
        return "ahead on some data sets and behind on others:"
    return "ahead, on some data sets, of" if "won" in outcomes else "behind, on some data sets,"


def _shown(rows: Sequence[Row]) -> list[str]:
    """The proxies of the short table, in order."""
    taus: dict[str, list[float]] = {}
    for row in rows:
        taus.setdefault(row["proxy"], []).append(sort_key(row["tau"]))
    first = [name for name in (CHAMPION, *YARDSTICKS) if name in taus]
    others = sorted(set(taus) - set(first), key=lambda name: (-sum(taus[name]), name))
    return [*first, *others[:STRONGEST]]
