"""The README.md of a run: its champion, what that is worth in short, and then in full."""

from collections.abc import Iterator, Mapping
from typing import Any

from eznas.report.markdown import Column, code, fenced, interval, table, text
from eznas.report.own_models import searched, use_of_networks
from eznas.report.run_tables import UNTESTED, outcome_lines, short_rows
from eznas.report.study_page import correlations, noted, samples

Content = Mapping[str, Any]


def run_page(result: Content, config: Content, environment: Content, command: str) -> str:
    """The page of a run: its champion, what that is worth, and the command to make it again.

    `result`, `config`, `environment`: of the files of these names in the run's folder. A `note` in
    the result says what has changed since the run.
    """
    seconds, formulas = f"{result['seconds']:,.0f} s", f"{result['evaluations']:,} formulas"
    workers, cores = environment["workers"], environment["cores"]
    machine = f"{workers} worker{'s' * (workers > 1)} on {cores} core{'s' * (cores > 1)}"
    seed = config["evolution"]["seed"]
    stopped = f" It was stopped: {result['stopped']}." if result.get("stopped") else ""
    parts = [
        f"# {result['run']}",
        f"A search on {searched(config)}, seed {seed}: {formulas} in {seconds}, "
        f"{machine}.{stopped}",
        fenced(command, "sh"),
        *noted(result),
        "The champion ([`champion.json`](champion.json)):",
        fenced(result["formula"]),
    ]
    if result.get("untested"):
        parts.append(f"{UNTESTED.capitalize()}.")
    if result["held_out"]:
        parts += [
            f"Tested on {samples(result['held_out'])}; {use_of_networks(result)}.",
            *_in_short(result),
            "## In full",
            "The numbers: [`result.json`](result.json).",
            *correlations(result["held_out"], result["difference"]),
        ]
    return "\n\n".join(parts) + "\n"


def _in_short(result: Content) -> Iterator[str]:
    """Whom the champion is ahead of, and the short table."""
    if result["difference"]:
        lines = outcome_lines(result["difference"])
        yield "\n".join(["The champion is", "", *(f"- {line}" for line in lines)])
    columns: list[Column] = [
        ("proxy", code("proxy")),
        ("data set", text("dataset")),
        ("tau [95 %]", interval("tau")),
    ]
    if result["difference"]:
        columns += [
            ("champion's lead [95 %]", _lead),
            ("", text("outcome")),
        ]
    yield table(columns, short_rows(result))


def _lead(row: Content) -> str:
    return interval("lead", "low", "high")(row) if row["outcome"] else ""
