"""The study of predictors by budget, as Markdown."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from eznas.report.cells import bare, sort_key
from eznas.report.markdown import UNDEFINED, code, number, table, text

Content = Mapping[str, Any]
_METRICS = (
    "tau: Kendall's rank correlation with accuracy, a mean over trials with its standard error; "
    "MAE: mean absolute error in percent;\nsparse tau: of predictions rounded to 1 %; P@10: share "
    "of the 10 best by prediction that are the 10 best; regret @1: accuracy that\ntraining the "
    "first-ranked network loses, in points; labels: networks fitted to, and those whose accuracies "
    "a discovered formula\nhas seen of this space; query: what a further network costs, where in "
    "epochs, proxies cost nothing."
)
_MAPS = (
    "The predictor with the highest mean tau among those that need at most so many trained "
    "networks (columns) and cost at most so much\na query (rows)."
)


def described_budgets(content: Content) -> str:
    """The first sentence of the study's section."""
    predictors = len({row["predictor"] for row in content["rows"]})
    return (
        f"{predictors} predictor{'s' * (predictors > 1)} of {content['accuracy']} accuracy on "
        f"{content['dataset']}, {content['space']}: tested on {content['tested']} of "
        f"{content['networks']:,} networks, {content['trials']} trials, split by "
        f"{content['split']}, fitted to {content['target'].replace('_', ' ')}"
    )


def budget_tables(content: Content) -> Iterator[str]:
    """The rows, the best first at each number of training networks, and the maps of winners."""
    unit = content["unit"]
    rows = sorted(content["rows"], key=lambda row: (row["training"], -sort_key(row["tau"])))
    columns = [
        ("predictor", code("predictor")),
        ("fitted to", text("training")),
        ("epoch", lambda row: str(row["epochs"] or "")),
        ("tau", _with_error),
        ("MAE", number("mae", ".2f")),
        ("sparse tau", number("sparse_tau_1", ".3f")),
        ("P@10", number("precision_at_10", ".2f")),
        ("regret @1", number("regret1", ".2f")),
        ("labels", _labels),
        ("fit [s]", number("fit_seconds", ".2f")),
        (f"query [{unit}]", number("query", ".3g")),
    ]
    yield table(columns, rows)
    yield _METRICS
    for winners in content["maps"]:
        yield f"**Who wins**, labels of champions {winners['champions']}:"
        yield _map(winners)
    yield _MAPS
    if content["left_out"]:
        reasons = content["left_out"].items()
        yield "Left out: " + "; ".join(f"`{name}` ({reason})" for name, reason in reasons) + "."


def _map(winners: Content) -> str:
    """A map of winners: a row for each budget of a query."""
    labels: Sequence[int] = winners["labels"]
    cells = iter(winners["cells"])
    rows = [
        {"query": f"{query:.3g}", **{str(n): _winner(next(cells)) for n in labels}}
        for query in winners["queries"]
    ]
    columns = [(f"query [{winners['unit']}]", text("query"))]
    return table([*columns, *((str(n), text(str(n))) for n in labels)], rows)


def _winner(cell: Content) -> str:
    return f"{cell['winner']} {bare(cell['tau'])}" if cell["winner"] else UNDEFINED


def _with_error(row: Content) -> str:
    if row["tau"] is None:
        return UNDEFINED
    error = "" if row["tau_error"] is None else f" ± {bare(row['tau_error'])}"
    return bare(row["tau"]) + error


def _labels(row: Content) -> str:
    seen = row["champion_labels"]
    return "not known" if seen is None else str(row["training"] + seen)
