"""Tables: nothing is cut off in a terminal of 80 columns."""

import io

import pytest
from rich.console import Console
from rich.table import Table

from eznas import api
from eznas.discovery import BASELINES
from eznas.metrics import Row
from eznas.report.tables import correlation_table, difference_table, proxy_table, score_table
from eznas.spaces import SPACES

FORMULA = api.load("jacob_cov_x_params").formula.text
ARCHITECTURE = SPACES["nasbench201"].architectures()[15_624]
DATASETS = ("cifar10", "ImageNet16-120")


def shown(table: Table, width: int = 80) -> str:
    console = Console(width=width, file=io.StringIO())
    console.print(table)
    text = console.file.getvalue()
    assert "…" not in text
    assert all(len(line) <= width for line in text.splitlines())
    return text


def column(text: str, heading: str) -> str:
    """All that stands below a heading, without breaks."""
    lines = [line.replace("┃", "│").split("│") for line in text.splitlines()]
    lines = [line for line in lines if len(line) > 1]
    place = next(i for i, cell in enumerate(lines[0]) if heading in cell)
    return "".join("".join(line[place].split()) for line in lines[1:])


def row(proxy: str, dataset: str, tau: float | None) -> Row:
    low, high = (None, None) if tau is None else (tau - 0.1, tau + 0.1)
    return Row(
        proxy=proxy,
        dataset=dataset,
        networks=500,
        tau=tau,
        tau_low=low,
        tau_high=high,
        rho=tau,
        rho_low=low,
        rho_high=high,
        set="held-out, all",
        accuracy="validation",
        seeds=[0, 1, 2],
    )


def test_correlations_show_every_proxy_the_best_first():
    names = ["champion", *BASELINES, "greedy"]
    rows = [row(n, d, i / 20 - 0.2) for d in DATASETS for i, n in enumerate(names)]
    text = shown(correlation_table(rows))
    lines = text.splitlines()
    for name in names:
        assert sum(f" {name} " in line for line in lines) == len(DATASETS)
    for dataset in DATASETS:
        assert dataset in text
    order = [n for line in lines for n in names if f" {n} " in line]
    assert order == names[::-1] * len(DATASETS)
    assert "-0.200 [-0.300, -0.100]" in text
    assert "+0.250 [+0.150, +0.350]" in text
    title = "500 networks (held-out, all), validation accuracy, initialisation seeds 0, 1, 2"
    assert title in " ".join(text.split())


def test_correlations_show_a_formula_to_its_end():
    text = shown(correlation_table([row(FORMULA, "cifar10", 0.5)]))
    assert FORMULA.replace(" ", "") in column(text, "proxy")


def test_an_undefined_correlation_is_said_to_be_so_and_comes_last():
    rows = [row("nothing", "cifar10", None), row("wrong", "cifar10", -1.0)]
    lines = shown(correlation_table(rows)).splitlines()
    [wrong] = [i for i, line in enumerate(lines) if "wrong" in line]
    [nothing] = [i for i, line in enumerate(lines) if "nothing" in line]
    assert wrong < nothing
    assert lines[nothing].count("undefined") == 2


def test_no_rows():
    assert "no rows" in shown(correlation_table([]))


def test_names_are_no_markup():
    text = shown(correlation_table([row("[bold]mine[/bold]", "[red]", 0.5)]))
    assert "[bold]mine[/bold]" in text
    assert "[red]" in text


@pytest.mark.parametrize(
    ("low", "high", "outcome"),
    [(0.1, 0.3, "won"), (-0.3, -0.1, "lost"), (-0.1, 0.1, "even"), (None, None, "even")],
)
def test_differences_say_who_is_ahead(low, high, outcome):
    tau = None if low is None else (low + high) / 2
    rows = [
        {"against": against, "dataset": dataset, "tau": tau, "low": low, "high": high}
        for dataset in DATASETS
        for against in (*BASELINES, "greedy")
    ]
    text = shown(difference_table("champion", rows))
    assert text.count(outcome) == len(rows)
    for against in (*BASELINES, "greedy"):
        assert text.count(f" {against} ") == len(DATASETS)
    assert "undefined" in text if tau is None else f"{tau:+.3f} [{low:+.3f}, {high:+.3f}]" in text


@pytest.mark.parametrize("proxy", ["hybrid", FORMULA])
def test_scores_show_models_and_reasons(proxy):
    models = [
        (ARCHITECTURE, -1.23456e-300, ""),
        ("my.package.of.networks:some_factory", None, "lowest"),
    ]
    models.append(("b:c", None, "coverage"))
    rows = [
        {"model": m, "proxy": proxy, "score": s, "seconds": 1234.5, "reason": r}
        for m, s, r in models
    ]
    text = shown(score_table(rows))
    for model, _, reason in models:
        assert model in column(text, "model")
        assert reason in column(text, "reason")
    assert proxy.replace(" ", "") in column(text, "proxy")
    assert "-1.23456e-300" in column(text, "score")
    assert column(text, "rank") == "123"


def test_proxies_show_formulas_to_their_end():
    rows = api.proxies()
    text = shown(proxy_table(rows))
    for name in ("proxy", "formula", "source"):
        found = column(text, name)
        assert all(r[name].replace(" ", "") in found for r in rows)
