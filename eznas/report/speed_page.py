"""Pages of what was measured of speed: the engine beside the original way, scores beside passes."""

from collections.abc import Iterator, Mapping
from typing import Any

from eznas.report.markdown import code, number, table, text

Content = Mapping[str, Any]

_SPEED = (
    "Rates are formulas x networks per second: of EZNAS's way with tensors from disk and from "
    "memory, and of one plan, cold\nand over ten generations. Probes are in seconds per network, "
    "growth as slopes in logs."
)


def described_speed(content: Content) -> str:
    """What was measured by the study of speed, in a line."""
    formulas, networks = content["formulas"], content["networks"]
    return f"{formulas} formulas on {networks} networks, {content['device']}"


def speed_tables(content: Content) -> Iterator[str]:
    """The figures of the study of speed, as Markdown."""
    figures = {key: value for key, value in content.items() if key not in ("command", "device")}
    rows = []
    for key, value in figures.items():
        parts = value if isinstance(value, Mapping) else {"": value}
        rows += [{"name": f"{key} {part}".strip(), "figure": f} for part, f in parts.items()]
    yield table([("what", code("name")), ("figure", text("figure"))], rows)
    yield _SPEED


def described_scoring(content: Content) -> str:
    """What is in the rows of `scoring_tables`, in a line."""
    return "seconds to score a model, beside the bare passes that the formula needs"


def scoring_tables(content: Content) -> Iterator[str]:
    """Seconds of scores beside those of bare passes, the slowest first, as Markdown."""
    columns = [("proxy", code("proxy")), ("model", code("model"))]
    columns += [(key, number(key, ".3f")) for key in ("seconds", "passes")]
    rows = sorted(content["scoring_times"], key=lambda row: -row["ratio"])
    yield table([*columns, ("ratio", number("ratio", ".2f"))], rows)
    yield (
        "passes: one forward pass, and the forward (and backward) pass of each probe of the "
        "formula, by a loop by hand\non the same batch; medians, on one thread."
    )


def described_search_speed(content: Content) -> str:
    """What is in the rows of `search_speed_tables`, in a line."""
    row = content["search_speed"][0]
    return (
        f"formulas that a search rates in a second on one thread, on {row['networks']} networks "
        f"and {row['datasets']} data sets"
    )


def search_speed_tables(content: Content) -> Iterator[str]:
    """Formulas that a search rates in a second by each of its ways, as Markdown."""
    columns = [("way", code("way")), ("formulas a second", number("per_second", ",.0f"))]
    columns += [("formulas", number("formulas", ",d")), ("nodes", number("nodes", ".1f"))]
    yield table(columns, content["search_speed"])
    yield (
        "offered: a random term beside the terms of a sum, by the variance that they explain "
        "together; fitted: weights\nand the error of folds; ranked: tau on every data set."
    )
