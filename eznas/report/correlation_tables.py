"""Correlations with accuracy, and differences between those of two proxies."""

from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Group
from rich.text import Text

from eznas.metrics import METRICS, Difference, Metric, verdict
from eznas.report.cells import (
    UNDEFINED,
    WIDTH,
    bare,
    interval_texts,
    open_table,
    sample_title,
    seeds_text,
    shortened,
    sort_key,
)

Row = Mapping[str, Any]
_STYLE = {"won": "bold blue", "lost": "bold red", "even": "dim"}
_STYLE |= {"ahead": _STYLE["won"], "behind": _STYLE["lost"]}
_NO_ORDER = "all scores are equal, or fewer than two are defined"
_FURTHER = (  # columns after those of the metrics; nothing is computed here
    ("seconds", "seconds", ".3g"),  # per network
    ("variation", "tau\nsd", ""),  # over initialisation seeds
)
_UNDEFINED_HEADING = "unde-\nfined"  # on so many networks, which the row's figures leave out
_NAMED = 3  # networks that a note names
_LEAST_NAME = 11  # characters of a proxy's name


def correlation_table(rows: Sequence[Row], width: int = WIDTH) -> Group:
    """Tau with 95 % intervals and further metrics: a section per dataset, the proxy of the highest
    tau first.

    `rows` are `eznas.metrics.Row`s. Each metric that any row has a value of has a column; below the
    table stands why values are missing. Names of proxies are shortened so that no line is longer
    than `width`, where that can be.
    """
    ordered = [
        row
        for dataset in dict.fromkeys(row["dataset"] for row in rows)
        for row in sorted(
            (row for row in rows if row["dataset"] == dataset),
            key=lambda row: sort_key(row["tau"]),
            reverse=True,
        )
    ]
    columns: dict[str, list[str]] = {METRICS["tau"].heading: _intervals(ordered, "tau")}
    for metric in METRICS.values():
        if metric.heading and metric.name != "tau":
            columns[metric.heading] = [_metric_text(row, metric) for row in ordered]
    for key, heading, form in _FURTHER:
        columns[heading] = [
            _text(_further(row, key), form) if key in row else "" for row in ordered
        ]
    columns[_UNDEFINED_HEADING] = [
        f"{row['undefined']['networks']}" if "undefined" in row else "" for row in ordered
    ]
    columns = {
        heading: texts
        for heading, texts in columns.items()
        if heading == METRICS["tau"].heading or set(texts) - {"", UNDEFINED}
    }
    notes = [*undefined_notes(ordered), *_notes(ordered, set(columns))]
    return sections(_title(rows), "proxy", ordered, columns, width, notes)


def difference_table(proxy: str, rows: Sequence[Difference], width: int = WIDTH) -> Group:
    """Paired differences of tau with 95 % intervals, a section per dataset: "won" or "lost" only
    where they exclude zero. Names are shortened to fit into `width`."""
    ordered = sorted(rows, key=lambda row: [r["dataset"] for r in rows].index(row["dataset"]))
    intervals = interval_texts([(r["tau"], r["low"], r["high"]) for r in ordered], sign="+")
    outcomes = [verdict(row["low"], row["high"]) for row in ordered]
    title = f"tau of {shortened(proxy, 40)} minus tau of another, paired"
    columns: dict[str, Sequence[str]] = {"difference [95 %]": intervals, "": outcomes}
    return sections(title, "against", ordered, columns, width)


_FINAL = (("tau", "rho", "partial_rho"), ("top10_rho", "ndcg", "regret1"))  # in narrow windows two
_WIDE = 100  # characters in which all stand side by side


def final_table(look: Mapping[str, Any], width: int = WIDTH) -> Group:
    """The metrics of final figures with 95 % intervals, a section per dataset, in the order in
    which the proxies were named; `look` is an `eznas.studies.final.Look` as a dict."""
    rows: Sequence[Row] = look["rows"]
    datasets = list(dict.fromkeys(row["dataset"] for row in rows))
    ordered = sorted(rows, key=lambda row: datasets.index(row["dataset"]))
    title, notes, tables = _title(rows), undefined_notes(ordered), list[Group]()
    for names in _FINAL if width < _WIDE else (_FINAL[0] + _FINAL[1],):
        columns = {
            " ".join(METRICS[name].heading.split()).removesuffix(" [95 %]") + " [95 %]": _intervals(
                ordered, name
            )
            for name in names
        }
        last = notes if names[-1] == _FINAL[1][-1] else ()
        tables.append(sections("" if tables else title, "proxy", ordered, columns, width, last))
    return Group(*tables)


def look_line(look: Mapping[str, Any]) -> str:
    """How many looks at the networks of a space that are kept for final figures there have been,
    in a sentence; `look`: the last one, as `final_table` takes it."""
    space, before = str(look["space"]).partition(":")[0], look["before"]
    earlier = f"{before} before it" if before else "none before it"
    return f"look {before + 1} at the networks for final figures of {space} ({earlier})"


def sections(
    title: str,
    name: str,
    rows: Sequence[Mapping[str, Any]],
    columns: Mapping[str, Sequence[str]],
    width: int,
    notes: Sequence[str] = (),
) -> Group:
    """A table with a row for each of `rows`, in sections by dataset: the value of `name`, shortened
    to fit, and the text of each column (heading -> texts); the title above it and notes below."""
    longest = max((len(row[key]) for row in rows for key in (name, "dataset")), default=0)
    widths = _widths(columns)
    if _LEAST_NAME + sum(widths) + len(widths) > width:  # intervals go below their numbers
        columns = {
            heading.replace(" [95", "\n[95"): [text.replace(" [", "\n[") for text in texts]
            for heading, texts in columns.items()
        }
        widths = _widths(columns)
    gap = 2 if longest + sum(widths) + 2 * len(widths) <= width else 1
    left = max(_LEAST_NAME, width - sum(widths) - gap * len(widths))
    table = open_table(gap)
    table.add_column(name, no_wrap=True)
    for heading in columns:
        table.add_column(heading, justify="right" if heading else "left", no_wrap=True)
    for index, row in enumerate(rows):
        if not index or rows[index - 1]["dataset"] != row["dataset"]:
            table.add_section()
            table.add_row(Text(shortened(row["dataset"], left), style="bold"))
        texts = (column[index] for column in columns.values())
        cells = [Text(text, style=_STYLE.get(text, "")) for text in texts]
        table.add_row(Text(shortened(row[name], left)), *cells)
    return Group(Text(title, style="italic"), table, *(Text(note, style="dim") for note in notes))


def _widths(columns: Mapping[str, Sequence[str]]) -> list[int]:
    """The longest line in each column (heading -> texts), of headings too."""
    return [
        max(len(line) for text in (heading, *texts) for line in text.split("\n"))
        for heading, texts in columns.items()
    ]


def _intervals(rows: Sequence[Row], metric: str) -> list[str]:
    keys = (metric, f"{metric}_low", f"{metric}_high")
    return interval_texts([(row[keys[0]], row[keys[1]], row[keys[2]]) for row in rows])


def _metric_text(row: Row, metric: Metric) -> str:
    """The value of a metric in a row; "" where the row is without this metric."""
    if metric.name not in row:
        return ""
    return UNDEFINED if _too_few(row, metric) else _text(row[metric.name], metric.form)


def _too_few(row: Row, metric: Metric) -> bool:
    return bool(row["networks"] < metric.networks)


def _further(row: Row, key: str) -> float | None:
    value = row[key]["deviation"] if key == "variation" else row[key]
    return None if value is None else float(value)


def _text(value: float | None, form: str) -> str:
    if value is None:
        return UNDEFINED
    return format(value, form) if form else bare(value)


def undefined_notes(rows: Sequence[Row]) -> list[str]:
    """A line for the proxies that are undefined on the same networks: how many and why."""
    proxies: dict[str, dict[str, None]] = {}
    for row in rows:
        if "undefined" not in row:
            continue
        count, networks = row["undefined"]["networks"], row["networks"]
        reasons = "; ".join(
            f"{reason} ({', '.join(names[:_NAMED])}{', ...' if len(names) > _NAMED else ''})"
            for reason, names in row["undefined"]["reasons"].items()
        )
        rest = "no figures" if count == networks else "figures are over the others"
        note = f"undefined on {count} of {networks} networks, {rest}: {reasons}"
        proxies.setdefault(note, {})[row["proxy"]] = None
    return [f"{', '.join(names)}: {note}" for note, names in proxies.items()]


def _notes(rows: Sequence[Row], headings: set[str]) -> list[str]:
    """A line for each metric of which values are missing, or all: why that is."""
    notes = []
    if any(row["tau"] is None for row in rows):
        notes.append(f"{UNDEFINED}: nothing is defined where {_NO_ORDER}")
    for metric in METRICS.values():
        label = metric.heading.replace("\n", " ")
        with_metric = [row for row in rows if row["tau"] is not None and metric.name in row]
        if any(_too_few(row, metric) for row in with_metric):
            notes.append(f"{label} is given for {metric.networks} networks or more")
        enough = [row for row in with_metric if not _too_few(row, metric)]
        if metric.gap and any(row[metric.name] is None for row in enough):
            all_missing = metric.heading not in headings
            words = "is left out:" if all_missing else "is undefined where"
            notes.append(f"{'' if all_missing else f'{UNDEFINED}: '}{label} {words} {metric.gap}")
    return notes


def _title(rows: Sequence[Row]) -> str:
    """The networks, accuracy and seeds behind rows, by dataset if these differ."""
    if not rows:
        return "no rows"
    samples = {row["dataset"]: sample_title(row, with_seeds=False) for row in rows}
    if len(set(samples.values())) == 1:
        return sample_title(rows[0])
    lines = [f"{dataset}: {sample}" for dataset, sample in samples.items()]
    return "\n".join([*lines, f"initialisation {seeds_text(rows[0]['seeds'])}"])
