"""The README.md beside results: Markdown made from the JSON in its folder and from nothing else."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import PurePath
from typing import Any

from eznas.benchmarks.subsets import FITTED, FRESH
from eznas.metrics import METRICS, verdict
from eznas.report.autoencoding import described_autoencoding, tables_of_autoencoding
from eznas.report.budget_page import budget_tables, described_budgets
from eznas.report.cells import sort_key
from eznas.report.correlation_tables import undefined_notes
from eznas.report.explanation import described_explanation, tables_of_explanation
from eznas.report.latent_tables import described_latent_comparison, tables_of_latent_comparison
from eznas.report.markdown import Column, code, fenced, formatted, interval, number, table, text
from eznas.report.search_page import (
    described_comparison,
    described_search,
    tables_of_comparison,
    tables_of_search,
)
from eznas.report.speed_page import (
    described_scoring,
    described_search_speed,
    described_speed,
    scoring_tables,
    search_speed_tables,
    speed_tables,
)
from eznas.report.split_page import described_splits, tables_of_splits
from eznas.report.study_tables import combination_notes
from eznas.report.supernet_tables import (
    described_few_shot,
    described_supernets,
    tables_of_few_shot,
    tables_of_supernets,
)
from eznas.report.yardstick_tables import (
    described_ablation,
    described_folds,
    tables_of_ablation,
    tables_of_folds,
)

Content = Mapping[str, Any]
Describe = Callable[[Content], str]  # the first sentence
Tables = Callable[[Content], Iterator[str]]  # the tables, and what their columns mean

FIRST_FEATURES = 40  # how many of some 2,000 a page shows
_CORRELATIONS = (
    "tau and rho: Kendall's and Spearman's rank correlation with accuracy, signed, with 95 % "
    "bootstrap intervals over components; partial rho:\ngiven live parameters and FLOPs; top-10 % "
    "rho: among the most accurate tenth; regret @1: accuracy that training the first-ranked "
    "network\nloses, in points"
)
_SECONDS = "; seconds: of the proxy alone, per network and thread"
_VARIATION = (
    "; tau of one seed: that of single initialisations, their deviation, and tau between the scores"
    "\nof two of them"
)
_DIFFERENCES = (
    "Differences are paired: positive where the proxy ranks better, won or lost where the interval "
    "of tau excludes zero."
)
_AGREEMENT = (
    "rho: Spearman's, of our scores with the published column;\nbetween seeds: of the scores of "
    "our own initialisations with one another."
)
_COMBINATION = (
    "w is the weight of the first proxy and 1 - w that of the second, each divided by its largest "
    "score;\nthe other columns are Kendall's tau with accuracy."
)
_FEATURES = (
    "tau: Kendall's with accuracy; coverage: the share of networks that have a value. Models are "
    "fitted to the features\nof a grammar; split by: what is never on both sides of the split "
    "between fitted and tested networks."
)


def study_page(name: str, contents: Mapping[str, Content]) -> str:
    """The page of a folder of studies.

    `name`: of the folder; `contents`: file name -> what the file holds, which is what `--json`
    prints of a study, the `command` that made it, the names of its `plots` and, where the command
    no longer gives the same, a `note` that says so.
    """
    parts = [f"# {name}"]
    for file, content in contents.items():
        parts += [f"## {PurePath(file).stem}", *_section(content, file)]
    return "\n\n".join(parts) + "\n"


def _section(content: Content, file: str) -> Iterator[str]:
    """What a file holds: a sentence, the command, tables, plots, and what the columns mean."""
    describe, tables = next(parts for key, parts in _PARTS.items() if _matches(content, key))
    yield f"{describe(content)}. The numbers in full: [`{file}`]({file})."
    yield fenced(content["command"], "sh")
    yield from noted(content)
    yield from tables(content)
    yield from (f"![{PurePath(plot).stem}]({plot})" for plot in content.get("plots", ()))


def noted(content: Content) -> Iterator[str]:
    """What has changed since results were made, where they say so."""
    if content.get("note"):
        yield f"**{content['note']}**"


def _matches(content: Content, key: str) -> bool:
    """Whether content is that of the study whose rows, or else whose content, have the key."""
    return key in content or key in next(iter(content.get("rows") or [{}]))


def _described_correlation(content: Content) -> str:
    proxies = len({row["proxy"] for row in content["rows"]})
    return f"{_counted(proxies, 'proxy', 'proxies')} on {samples(content['rows'])}"


def _correlation_tables(content: Content) -> Iterator[str]:
    yield from correlations(content["rows"], content["difference"])


def samples(rows: Sequence[Content]) -> str:
    """Networks, sets, accuracies and seeds behind rows."""
    datasets: dict[str, list[str]] = {}
    for row in rows:
        sample = f"{row['networks']:,} networks ({row['set']}), {row['accuracy']} accuracy"
        datasets.setdefault(sample, []).append(row["dataset"])
    samples = [f"{sample} on {', '.join(dict.fromkeys(d))}" for sample, d in datasets.items()]
    seeds = rows[0]["seeds"]
    plural = "s" if len(seeds) > 1 else ""
    return f"{'; '.join(samples)}, initialisation seed{plural} {', '.join(map(str, seeds))}"


def correlations(
    rows: Sequence[Content],
    differences: Sequence[Content],
    intervals: Sequence[str] = ("tau", "rho"),
) -> Iterator[str]:
    """Tables of rows and of paired differences; in the former the highest tau comes first, and the
    metrics `intervals` have theirs."""
    columns: list[Column] = [("proxy", code("proxy")), ("data set", text("dataset"))]
    for metric in METRICS.values():
        if metric.name in intervals:
            heading = " ".join(metric.heading.split()).removesuffix(" [95 %]")
            columns.append((f"{heading} [95 %]", interval(metric.name)))
        elif metric.heading and any(row.get(metric.name) is not None for row in rows):
            heading = " ".join(metric.heading.split())
            columns.append((heading, number(metric.name, metric.form or "+.3f")))
    note = _CORRELATIONS
    if "variation" in rows[0]:
        note += _VARIATION
        columns += [
            ("tau of one seed, mean", lambda row: formatted(row["variation"]["mean"], "+.3f")),
            ("its deviation", lambda row: formatted(row["variation"]["deviation"], ".3f")),
            ("tau between seeds", lambda row: formatted(row["variation"]["agreement"], ".3f")),
        ]
    if "seconds" in rows[0]:
        note += _SECONDS
        columns.append(("seconds", number("seconds", ".3g")))
    order = list(dict.fromkeys(row["dataset"] for row in rows))
    yield table(
        columns, sorted(rows, key=lambda r: (order.index(r["dataset"]), -sort_key(r["tau"])))
    )
    yield f"{note}."
    yield from undefined_notes(rows)
    if differences:
        others = {row["against"] for row in differences}
        proxy = next(row["proxy"] for row in rows if row["proxy"] not in others)
        yield table(
            [
                (f"`{proxy}` minus", code("against")),
                ("data set", text("dataset")),
                ("tau [95 %]", interval("tau", "low", "high")),
                ("rho [95 %]", interval("rho")),
                ("", lambda row: verdict(row["low"], row["high"])),
            ],
            differences,
        )
        yield _DIFFERENCES


def _described_agreement(content: Content) -> str:
    rows = content["rows"]
    counts = " or ".join(f"{n:,}" for n in sorted({row["networks"] for row in rows}))
    datasets = ", ".join(dict.fromkeys(row["dataset"] for row in rows))
    return f"Our scores beside published ones, on {counts} networks ({datasets})"


def _agreement_tables(content: Content) -> Iterator[str]:
    columns: list[Column] = [
        ("proxy", code("proxy")),
        ("data set", text("dataset")),
        ("published column", text("published")),
        ("networks", number("networks", ",")),
        ("rho", number("rho", "+.4f")),
    ]
    if any(row["between_seeds"] is not None for row in content["rows"]):
        columns.append(("between seeds", number("between_seeds", "+.4f")))
    yield table(columns, sorted(content["rows"], key=lambda r: -sort_key(r["rho"])))
    yield _AGREEMENT


def _described_combination(content: Content) -> str:
    datasets = ", ".join(content["tau"])
    return f"tau of a weighted sum of `{content['first']}` and `{content['second']}` ({datasets})"


def _combination_tables(content: Content) -> Iterator[str]:
    rows = [
        {"w": weight} | {dataset: taus[i] for dataset, taus in content["tau"].items()}
        for i, weight in enumerate(content["weights"])
    ]
    yield table(
        [("w", number("w", ".3f")), *((d, number(d, "+.4f")) for d in content["tau"])], rows
    )
    yield _COMBINATION
    yield from combination_notes(content)


def _described_features(content: Content) -> str:
    return (
        f"{len(content['features']):,} short features by tau on {FITTED} networks, the first "
        f"{FIRST_FEATURES} shown, and models that are fitted to all of them, tested on {FRESH:,} "
        "others"
    )


def _features_tables(content: Content) -> Iterator[str]:
    rows = [dict(row) | row["tau"] | {"mean": _mean(row["tau"])} for row in content["features"]]
    rows.sort(key=lambda row: -sort_key(row["mean"]))
    datasets = list(dict.fromkeys(d for row in content["features"] for d in row["tau"]))
    columns: list[Column] = [
        ("feature", code("feature")),
        *((dataset, number(dataset, "+.3f")) for dataset in datasets),
        ("mean of \\|tau\\|", number("mean", ".3f")),
        ("coverage", number("coverage", ".3f")),
    ]
    if any("undefined" in row for row in rows[:FIRST_FEATURES]):
        columns.append(("networks without a score", _without_score))
    yield table(columns, rows[:FIRST_FEATURES])
    models = [
        dict(row) | dict(zip(("t", "t_low", "t_high"), tau or (None,) * 3, strict=True))
        | {
            "dataset": dataset,
            "with_score": row["networks"] - row.get("undefined", {}).get(dataset, 0),
        }
        for row in content["yardsticks"]
        for dataset, tau in row["tau"].items()
    ]  # fmt: skip
    yield table(
        [
            ("model", text("model")),
            ("grammar", text("language")),
            ("features", number("features", ",")),
            ("split by", text("split_by")),
            ("data set", text("dataset")),
            ("networks", number("with_score", ",")),
            ("tau [95 %]", interval("t")),
        ],
        models,
    )
    yield _FEATURES


def _without_score(row: Content) -> str:
    return str(max(row.get("undefined", {}).values(), default=""))


_PARTS: dict[str, tuple[Describe, Tables]] = {  # a key that only this study's JSON has
    "latent_searches": (described_latent_comparison, tables_of_latent_comparison),
    "queried": (described_search, tables_of_search),
    "curves": (described_comparison, tables_of_comparison),
    "few_shot": (described_few_shot, tables_of_few_shot),
    "supernets": (described_supernets, tables_of_supernets),
    "splits": (described_splits, tables_of_splits),
    "maps": (described_budgets, budget_tables),
    "published": (_described_agreement, _agreement_tables),
    "weights": (_described_combination, _combination_tables),
    "features": (_described_features, _features_tables),
    "by_folds": (described_folds, tables_of_folds),
    "variants": (described_ablation, tables_of_ablation),
    "exact": (described_autoencoding, tables_of_autoencoding),
    "reduced": (described_explanation, tables_of_explanation),
    "scoring_times": (described_scoring, scoring_tables),
    "search_speed": (described_search_speed, search_speed_tables),
    "rates": (described_speed, speed_tables),
    "rows": (_described_correlation, _correlation_tables),
}


def _counted(count: int, one: str, many: str) -> str:
    return f"{count} {one if count == 1 else many}"


def _mean(taus: Mapping[str, float | None]) -> float | None:
    """The mean of |tau| over the data sets where it is defined."""
    sizes = [abs(tau) for tau in taus.values() if tau is not None]
    return sum(sizes) / len(sizes) if sizes else None
