"""Tables of predictors: the list, predictions, and who wins at which budget."""

from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Group
from rich.table import Table
from rich.text import Text

from eznas.proxies.loading import NAMES
from eznas.report.cells import UNDEFINED, WIDTH, bare, new_table, open_table, shortened

Row = Mapping[str, Any]
LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
OTHERS = "*"  # in place of a letter, for those that win least often where letters are too few
SIZES = 6  # numbers of networks in a table


def predictor_table(rows: Sequence[Mapping[str, str]]) -> Group:
    """Named predictors, and in one line those that are a proxy by itself; `rows` as
    `eznas.predictors.named.list_predictors` returns them."""
    table = Table(show_lines=True)
    for heading in ("predictor", "features", "regressor", "source and note"):
        table.add_column(heading, overflow="fold")
    proxies = [row["name"] for row in rows if row["name"] in NAMES]
    for row in (row for row in rows if row["name"] not in NAMES):
        source = "; ".join(part for part in (row["source"], row["note"]) if part)
        texts = (row["name"], row["features"], row["regressor"], source)
        table.add_row(*map(Text, texts))
    by_itself = f"and every proxy by itself, without labels: {', '.join(proxies)}"
    return Group(table, Text(by_itself))


def prediction_table(rows: Sequence[Row], title: str, top: int) -> Table:
    """The first `top` predictions; `rows` as `eznas.studies.prediction.predict` returns them."""
    table = new_table(title)
    table.add_column("rank", justify="right", no_wrap=True)
    table.add_column("architecture", overflow="fold")
    table.add_column("prediction", justify="right", no_wrap=True)
    for rank, row in enumerate(rows[:top], 1):
        value = row["prediction"]
        number = UNDEFINED if value is None else f"{value:.6g}"
        table.add_row(str(rank), Text(row["architecture"]), number)
    return table


def budget_table(content: Mapping[str, Any], width: int = WIDTH) -> Table:
    """Tau of each predictor by the number of networks that it was fitted to, the best first.

    `content` as `eznas.studies.budgets.Budgets` has it.
    """
    rows = content["rows"]
    shown = _some(sorted({row["training"] for row in rows if row["training"]}))
    table = open_table(1)
    table.add_column("predictor", no_wrap=True)
    for heading in ("epoch", *(f"n={size}" for size in shown), f"query [{content['unit']}]"):
        table.add_column(Text(heading), justify="right", no_wrap=True)
    widths = [max(len(str(column.header)), len("-.123")) for column in table.columns[1:]]
    name_width = max(12, width - sum(widths) - len(widths))
    for name, epochs in _by_best(rows):
        by_size = {
            row["training"]: row
            for row in rows
            if (row["predictor"], row["epochs"]) == (name, epochs)
        }
        query = next(iter(by_size.values()))["query"]
        taus = [_tau(by_size.get(size) or by_size.get(0)) for size in shown]
        cells = (shortened(name, name_width), str(epochs or ""), *taus, f"{query:.3g}")
        table.add_row(*map(Text, cells))
    return table


def winner_table(winners: Mapping[str, Any]) -> Group:
    """The map of winners: a row for each budget of a query, a column for each number of labels,
    a letter for each winner. `winners` as `eznas.studies.winners.winners` has them."""
    names = winner_names(winners)
    letters = dict(zip(names, [*LETTERS, *[OTHERS] * len(names)], strict=False))
    table = open_table(1)
    for heading in ("query", *map(str, winners["labels"])):
        table.add_column(heading, justify="right", no_wrap=True)
    cells = iter(winners["cells"])
    for query in winners["queries"]:
        row = [next(cells) for _ in winners["labels"]]
        texts = [
            f"{letters[c['winner']]}{bare(c['tau'], digits=2):>4}" if c["winner"] else UNDEFINED
            for c in row
        ]
        table.add_row(Text(two_digits(query)), *map(Text, texts))
    title = (
        f"winners and their tau, by the {winners['unit']} of a query (rows) and the networks "
        f"trained first (columns), labels of champions {winners['champions']}"
    )
    legend = [f"{letters[name]} {name}" for name in names]
    return Group(Text(title, style="italic"), table, *map(Text, legend))


def two_digits(value: float) -> str:
    """A number rounded to two digits that matter: 0.0092, 27, 1800."""
    return f"{float(f'{value:.2g}'):g}"


def _some(sizes: Sequence[int]) -> list[int]:
    """At most `SIZES` of them, evenly, the first and the last included."""
    count = min(SIZES, len(sizes))
    steps = max(count - 1, 1)
    return [sizes[round(i * (len(sizes) - 1) / steps)] for i in range(count)]


def winner_names(winners: Mapping[str, Any]) -> list[str]:
    """The predictors that win somewhere, the one that wins most often first."""
    counts: dict[str, int] = {}
    for cell in winners["cells"]:
        if cell["winner"]:
            counts[cell["winner"]] = counts.get(cell["winner"], 0) + 1
    return sorted(counts, key=lambda name: -counts[name])


def _by_best(rows: Sequence[Row]) -> list[tuple[str, int]]:
    """Predictors and epochs, by their highest tau."""
    best: dict[tuple[str, int], float] = {}
    for row in rows:
        key, tau = (row["predictor"], row["epochs"]), row["tau"]
        if tau is not None and tau == tau:  # not NaN
            best[key] = max(best.get(key, -1.0), tau)
        else:
            best.setdefault(key, -2.0)
    return sorted(best, key=lambda key: -best[key])


def _tau(row: Row | None) -> str:
    if row is None or row["tau"] is None or row["tau"] != row["tau"]:
        return UNDEFINED
    return bare(row["tau"])
