"""Tables: nothing is cut off in a terminal of 80 columns."""

import io
import re

import pytest
from rich.console import Console
from rich.table import Table

from eznas import api
from eznas.discovery.run import BASELINES
from eznas.metrics import Row
from eznas.report.tables import (
    agreement_table,
    blend_table,
    correlation_table,
    difference_table,
    proxy_table,
    score_table,
    word_table,
    yardstick_table,
)
from eznas.spaces import SPACES

FORMULA = api.load("jacob_cov_x_params").formula.text
ARCHITECTURE = SPACES["nasbench201"].architectures()[15_624]
DATASETS = ("cifar10", "ImageNet16-120")
THREE = ("cifar10", "cifar100", "ImageNet16-120")
NAMES = ("champion", "plain_gradient_norm_22", "jacob_cov_x_params", "greedy")


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


def further(proxy: str, dataset: str, tau: float) -> dict[str, object]:
    """A row with all the numbers that a row may have."""
    more = {"partial_rho": tau - 0.001, "top10_rho": -tau, "ndcg": 0.875, "regret1": 12.345}
    low = {f"{key}_low": -0.999 for key in more}
    high = {f"{key}_high": 0.999 for key in more}
    return {**row(proxy, dataset, tau), **more, **low, **high, "seconds": 0.01234}


def halves(text: str) -> tuple[str, str]:
    """What stands below "proxy" in a table without lines, without breaks; and what beside it."""
    lines = text.splitlines()
    [heading] = [i for i, line in enumerate(lines) if line.startswith("proxy ")]
    below = lines[heading + 2 :]
    gap = next(i for i in range(120) if not any(line[i : i + 2].strip() for line in below))
    names, values = [line[:gap] for line in below], [line[gap:] for line in below]
    return "".join("".join(names).split()), "\n".join(values)


@pytest.mark.parametrize("width", [80, 120])
@pytest.mark.parametrize("named", [NAMES, (*NAMES, FORMULA)])
def test_further_numbers_are_shown_whole(width, named):
    rows = [further(n, d, 0.101 + i / 10) for d in THREE for i, n in enumerate(named)]
    text = shown(correlation_table(rows), width)
    for heading in ("partial", "top-10 %", "nDCG", "regret", "@1", "seconds", "[95 %]"):
        assert heading in text
    names, values = halves(text)
    numbers = re.findall(r"[+-]?[0-9]+[.][0-9]+", values)
    expected = []
    for i in range(len(named)):
        tau = 0.101 + i / 10
        both = [f"{value:+.3f}" for value in (tau, tau - 0.1, tau + 0.1)]
        expected += [
            *both,
            *both,
            f"{tau - 0.001:+.3f}",
            f"{-tau:+.3f}",
            "0.875",
            "12.345",
            "0.0123",
        ]
    assert sorted(numbers) == sorted(expected * len(THREE))
    for name in (*named, *THREE):
        assert name.replace(" ", "") in names


def test_at_120_columns_a_row_is_a_line():
    rows = [further(n, d, 0.101 + i / 10) for d in THREE for i, n in enumerate(NAMES)]
    lines = shown(correlation_table(rows), 120).splitlines()
    for i, name in enumerate(NAMES):
        tau = 0.101 + i / 10
        interval = f"{tau:+.3f} [{tau - 0.1:+.3f}, {tau + 0.1:+.3f}]"
        others = f"{tau - 0.001:+.3f} {-tau:+.3f} 0.875 12.345 0.0123"
        expected = f"{name} {interval} {interval} {others}"
        assert [" ".join(line.split()) for line in lines].count(expected) == len(THREE)


@pytest.mark.parametrize("width", [80, 120])
def test_further_numbers_may_be_undefined_or_missing(width):
    rows = [further("whole", "cifar10", 0.5), row("plain", "cifar10", 0.25)]
    rows.append({**row("nothing", "cifar10", None), "partial_rho": None, "ndcg": None})
    text = shown(correlation_table(rows), width)
    lines = {line.split()[0]: line for line in text.splitlines() if line.strip()}
    assert lines["nothing"].count("undefined") == 2
    assert lines["nothing"].split()[-2:] == ["undef.", "undef."]
    assert lines["plain"].split()[-1] in ("+0.250", "+0.350]")
    only = {**row("one", "cifar10", 0.5), "ndcg": 0.75}
    text = shown(correlation_table([only]), width)
    assert "0.750" in text
    assert "regret" not in text


@pytest.mark.parametrize("width", [80, 120])
def test_words_are_ranked_by_their_mean_size(width):
    taus = {
        "small": (0.1, -0.1, 0.1),
        FORMULA: (-0.75, 0.5, -0.625),
        "[b]part[/b]": (None, -0.5, 0.25),
        "none": (None, None, None),
    }
    rows = [
        {"word": word, "tau": dict(zip(THREE, tau, strict=True)), "coverage": 0.985}
        for word, tau in taus.items()
    ]
    text = shown(word_table(rows, "words of [quick]"), width)
    assert "words of [quick]" in text
    lines = [[cell.strip() for cell in line.split("│")[1:-1]] for line in text.splitlines()]
    first = [cells for cells in lines if cells and cells[0]]
    assert [cells[0] for cells in first] == ["1", "2", "3", "4"]
    assert [cells[2:] for cells in first] == [
        ["-0.750", "+0.500", "-0.625", "0.625", "0.985"],
        ["undef.", "-0.500", "+0.250", "0.375", "0.985"],
        ["+0.100", "-0.100", "+0.100", "0.100", "0.985"],
        ["undef.", "undef.", "undef.", "undef.", "0.985"],
    ]
    order = "".join((FORMULA, "[b]part[/b]", "small", "none")).replace(" ", "")
    assert order in "".join(cells[1] for cells in lines if cells).replace(" ", "")


@pytest.mark.parametrize("width", [80, 120])
def test_yardsticks_are_ranked_within_data_sets(width):
    rows = [
        {
            "model": "a_random_forest_of_trees",
            "language": "quick_with_products_of_words",
            "words": 1234,
            "parted": "components",
            "networks": 12345,
            "tau": {"cifar10": [0.5, 0.4, 0.6], "ImageNet16-120": [None, None, None]},
        },
        {
            "model": "[b]ridge",
            "language": "quick",
            "words": 120,
            "parted": "[b]lot",
            "networks": 253,
            "tau": {"cifar10": [0.7, 0.65, 0.75], "cifar100": [-0.1, -0.2, 0.3]},
        },
    ]
    text = shown(yardstick_table(rows, "of [all]"), width)
    assert "of [all]" in text
    assert all(dataset in column(text, "model") for dataset in THREE)
    places = [text.index(t) for t in ("+0.700 [+0.650, +0.750]", "+0.500 [+0.400, +0.600]")]
    assert places == sorted(places)
    assert "-0.100 [-0.200, +0.300]" in text
    assert text.count("undefined") == 3
    assert column(text, "networks").count("12345") == len(THREE)
    for parted in ("components", "[b]lot"):
        assert column(text, "parted").count(parted) == len(THREE)
    for words in ("120", "1234"):
        assert column(text, "words").count(words) == len(THREE)
    for model in ("a_random_forest_of_trees", "[b]ridge"):
        assert column(text, "model").count(model) == len(THREE)
    assert column(text, "language").count("quick_with_products_of_words") == len(THREE)


def test_no_words_and_no_yardsticks():
    assert "rank" in shown(word_table([], "none"))
    assert "model" in shown(yardstick_table([]))


def test_only_the_first_words_are_shown():
    rows = [{"word": f"w{i}", "tau": {"d": i / 10}, "coverage": 1.0} for i in range(6)]
    text = shown(word_table(rows, "some", 2))
    assert re.findall(r"w[0-9]", text) == ["w5", "w4"]


@pytest.mark.parametrize("width", [80, 120])
def test_agreement_shows_the_closest_first(width):
    rows = [
        {
            "proxy": proxy,
            "dataset": dataset,
            "published": f"{dataset}_{proxy}",
            "networks": 498,
            "rho": rho,
            "between_seeds": between,
        }
        for proxy, dataset, rho, between in (
            ("[b]far", "cifar10", -0.5, 0.25),
            ("nothing", "cifar10", None, None),
            ("jacob_cov_x_params", "ImageNet16-120", 0.98765, 0.87654),
        )
    ]
    text = shown(agreement_table(rows), width)
    assert re.findall(r"[+-][0-9]\.[0-9]{4}", text) == ["+0.9877", "+0.8765", "-0.5000", "+0.2500"]
    cells = [[cell.strip() for cell in line.split("│")[1:-1]] for line in text.splitlines()]
    names, _, published, *_ = ("".join(c) for c in zip(*filter(None, cells), strict=True))
    assert names == "jacob_cov_x_params[b]farnothing"
    assert "cifar10_[b]far" in published
    assert text.count("undef.") == 1
    assert text.count("498") == 3
    assert "agreement" in shown(agreement_table([]))


@pytest.mark.parametrize("width", [80, 120])
def test_a_blend_has_a_row_for_each_weight(width):
    content = {
        "first": "[b]naswot",
        "second": "params",
        "weights": [0.0, 0.125, 1.0],
        "tau": {"cifar10": [0.25, None, -0.5], "ImageNet16-120": [0.75, 0.625, 0.5]},
    }
    text = shown(blend_table(content), width)
    assert "w times [b]naswot plus 1 - w times params" in " ".join(text.split())
    assert column(text, "w") == "0.0000.1251.000"
    assert column(text, "cifar10") == "+0.2500undef.-0.5000"
    assert column(text, "ImageNet16-120") == "+0.7500+0.6250+0.5000"


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


def test_a_difference_from_a_formula_is_shown_to_its_end():
    rows = [{"against": FORMULA, "dataset": "cifar10", "tau": 0.1, "low": 0.05, "high": 0.2}]
    text = shown(difference_table(FORMULA, rows))
    assert FORMULA.replace(" ", "") in column(text, "against")
    assert "won" in text


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
    for name, heading in (("proxy",) * 2, ("formula",) * 2, ("source",) * 2, ("note", "source")):
        found = column(text, heading)
        assert all(r[name].replace(" ", "") in found for r in rows)
    assert any(r["note"] for r in rows)


def test_rows_of_several_spaces_are_told_apart_in_the_title():
    other = row("found", "macro/cifar10", 0.5) | {"networks": 60, "accuracy": "test"}
    text = shown(correlation_table([row("found", "cifar10", 0.4), other]))
    lines = [line.strip() for line in text.splitlines()[:3]]
    assert lines == [
        "cifar10: 500 networks (held-out, all), validation accuracy",
        "macro/cifar10: 60 networks (held-out, all), test accuracy",
        "initialisation seeds 0, 1, 2",
    ]
