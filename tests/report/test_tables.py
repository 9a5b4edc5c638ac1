"""Tables: nothing is cut off in a terminal of 80 columns."""

import io
import re

import pytest
from rich.console import Console, RenderableType

import eznas
from eznas.discovery.setup import BASELINES
from eznas.metrics import Row
from eznas.report.cells import bare
from eznas.report.formulas import formula_lines
from eznas.report.tables import (
    agreement_table,
    combine_table,
    correlation_table,
    difference_table,
    feature_ranking_table,
    proxy_table,
    score_table,
    yardstick_table,
)
from eznas.spaces import SPACES

FORMULA = eznas.load("jacob_cov_x_params").formula.text
ARCHITECTURE = SPACES["nasbench201"].architectures()[15_624]
DATASETS = ("cifar10", "ImageNet16-120")
THREE = ("cifar10", "cifar100", "ImageNet16-120")
NAMES = ("champion", "plain_gradient_norm_22", "jacob_cov_x_params", "greedy")


def rendered(table: RenderableType, width: int = 80, shortened: bool = False) -> str:
    console = Console(width=width, file=io.StringIO())
    console.print(table)
    text = console.file.getvalue()
    assert ("…" in text) == shortened
    assert all(len(line) <= width for line in text.splitlines())
    return text


def column(text: str, heading: str) -> str:
    """All text below a heading, without blanks and line breaks."""
    lines = [line.replace("┃", "│").split("│") for line in text.splitlines()]
    lines = [line for line in lines if len(line) > 1]
    first, index = next(
        (number, i)
        for number, line in enumerate(lines, 1)
        for i, cell in enumerate(line)
        if heading in cell
    )
    return "".join("".join(line[index].split()) for line in lines[first:])


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
        set="held-out part",
        accuracy="validation",
        seeds=[0, 1, 2],
    )


def test_correlations_show_every_proxy_the_best_first():
    names = ["champion", *BASELINES, "greedy"]
    rows = [row(n, d, i / 20 - 0.2) for d in DATASETS for i, n in enumerate(names)]
    text = rendered(correlation_table(rows))
    lines = text.splitlines()
    for dataset in DATASETS:
        assert dataset in text
    order = [n for line in lines for n in names if line.startswith(f"{n} ")]
    assert order == names[::-1] * len(DATASETS)
    assert "-.200 [-.300, -.100]  -.200" in text
    assert " .250 [ .150,  .350]   .250" in text
    title = "500 networks (held-out part), validation accuracy, initialisation seeds 0, 1, 2"
    assert title in " ".join(text.split())


def test_a_formula_is_cut_in_the_middle():
    text = rendered(correlation_table([row(FORMULA, "cifar10", 0.5)]), shortened=True)
    [line] = [line for line in text.splitlines() if "…" in line]
    start, end = line.split(" .500 ")[0].split("…")
    assert FORMULA.startswith(start)
    assert FORMULA.endswith(end.strip())


def test_an_undefined_correlation_has_a_dash_and_a_reason_and_comes_last():
    rows = [row("undefined_proxy", "cifar10", None), row("wrong", "cifar10", -1.0)]
    lines = rendered(correlation_table(rows)).splitlines()
    assert [line.split() for line in lines[-3:-1]] == [
        ["wrong", "-1.000", "[-1.100,", "-.900]", "-1.000"],
        ["undefined_proxy", "-", "-"],
    ]
    assert "-: nothing is defined where all scores are equal" in " ".join(lines)


def test_no_rows():
    assert "no rows" in rendered(correlation_table([]))


def test_names_are_no_markup():
    text = rendered(correlation_table([row("[bold]mine[/bold]", "[red]", 0.5)]))
    assert "[bold]mine[/bold]" in text
    assert "[red]" in text


def further(proxy: str, dataset: str, tau: float) -> dict[str, object]:
    """A row with all the metrics that a table shows."""
    metrics = {"partial_rho": tau - 0.001, "top10_rho": -tau, "ndcg": 0.875, "regret1": 12.345}
    low = {f"{key}_low": -0.999 for key in metrics}
    high = {f"{key}_high": 0.999 for key in metrics}
    return {**row(proxy, dataset, tau), **metrics, **low, **high, "seconds": 0.01234}


@pytest.mark.parametrize("width", [80, 120])
@pytest.mark.parametrize("proxies", [NAMES, (*NAMES, FORMULA)])
def test_a_row_is_a_line(width, proxies):
    rows = [further(n, d, 0.101 + i / 10) for d in THREE for i, n in enumerate(proxies)]
    text = rendered(correlation_table(rows, width), width, shortened=FORMULA in proxies)
    for heading in ("partial", "top-10", "nDCG", "regret", "@1 [%]", "seconds", "[95 %]"):
        assert heading in text
    lines = [" ".join(line.split()) for line in text.splitlines()]
    assert [line for line in lines if line in THREE] == list(THREE)
    for i, _ in enumerate(proxies):
        tau = 0.101 + i / 10
        numbers = f"{tau:.3f} [{tau - 0.1:.3f}, {tau + 0.1:.3f}] {tau:.3f}"
        numbers += f" {tau - 0.001:.3f} -{tau:.3f} 0.875 12.35 0.0123"
        expected = numbers.replace("0.", ".").replace(" .0123", " 0.0123")
        shown = [line for line in lines if line.endswith(expected.replace("[.", "[."))]
        assert len(shown) == len(THREE), expected


def test_all_columns_fit_with_the_proxies_of_a_run():
    within = {"within_tau": -0.5, "variation": {"deviation": 0.0123}}
    names = ["champion", *BASELINES, "greedy"]
    rows = [further(name, dataset, -0.25) for dataset in THREE for name in names]
    assert "jacob_cov_x_params" in rendered(correlation_table(rows))
    text = rendered(correlation_table([{**r, **within} for r in rows]), shortened=True)
    assert text.count("[-.350, -.150]") == text.count(" -.500 ") == len(rows)
    assert " .012" in text


def test_a_column_without_values_is_left_out_and_says_why():
    rows = [further("a", "cifar10", 0.5) | {"networks": 40, "partial_rho": None}]
    text = rendered(correlation_table(rows))
    table, notes = text[: text.index("partial")], text[text.index("partial") :]
    assert "top-10" not in table
    assert "partial rho is left out: network sizes explain" in notes
    assert "top-10 % rho is given for 41 networks or more" in notes
    rows.append(further("b", "macro", 0.5) | {"networks": 41})
    lines = rendered(correlation_table(rows)).splitlines()
    assert [line.split()[4:7] for line in lines if line.startswith(("a ", "b "))] == [
        [".500", "-", "-"],
        [".500", ".499", "-.500"],
    ]
    assert "-: partial rho is undefined where network sizes" in " ".join(lines)


def test_a_metric_that_no_row_has_is_not_mentioned():
    text = rendered(correlation_table([{**row("proxy", "cifar10", 0.5), "ndcg": 0.75}]))
    assert ".750" in text
    assert "regret" not in text
    assert "partial" not in text


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.7171, ".717"), (-0.034, "-.034"), (1, "1.000"), (-0.9999, "-1.000"), (-1e-9, ".000")],
)
def test_a_correlation_has_no_zero_before_its_point(value, text):
    assert bare(value) == text


@pytest.mark.parametrize("width", [80, 120])
def test_features_are_ranked_by_their_mean_size(width):
    taus = {
        "small": (0.1, -0.1, 0.1),
        FORMULA: (-0.75, 0.5, -0.625),
        "[b]part[/b]": (None, -0.5, 0.25),
        "none": (None, None, None),
    }
    rows = [
        {"feature": feature, "tau": dict(zip(THREE, tau, strict=True)), "coverage": 0.985}
        for feature, tau in taus.items()
    ]
    text = rendered(feature_ranking_table(rows, "features of [quick]"), width)
    assert "features of [quick]" in text
    lines = [[cell.strip() for cell in line.split("│")[1:-1]] for line in text.splitlines()]
    ranked = [cells for cells in lines if cells and cells[0]]
    assert [cells[0] for cells in ranked] == ["1", "2", "3", "4"]
    assert [cells[2:] for cells in ranked] == [
        ["-.750", ".500", "-.625", ".625", ".985"],
        ["-", "-.500", ".250", ".375", ".985"],
        [".100", "-.100", ".100", ".100", ".985"],
        ["-", "-", "-", "-", ".985"],
    ]
    order = "".join((FORMULA, "[b]part[/b]", "small", "none")).replace(" ", "")
    assert order in "".join(cells[1] for cells in lines if cells).replace(" ", "")


@pytest.mark.parametrize("width", [80, 120])
def test_yardsticks_are_ranked_within_data_sets(width):
    rows = [
        {
            "model": "a_random_forest_of_trees",
            "language": "quick_with_products_of_features",
            "features": 1234,
            "split_by": "components",
            "networks": 12345,
            "tau": {"cifar10": [0.5, 0.4, 0.6], "ImageNet16-120": [None, None, None]},
        },
        {
            "model": "[b]ridge",
            "language": "quick",
            "features": 120,
            "split_by": "[b]lot",
            "networks": 253,
            "tau": {"cifar10": [0.7, 0.65, 0.75], "cifar100": [-0.1, -0.2, 0.3]},
        },
    ]
    text = rendered(yardstick_table(rows, "of [all]"), width)
    assert "of [all]" in text
    assert all(dataset in column(text, "model") for dataset in THREE)
    positions = [text.index(t) for t in (".700 [.650, .750]", ".500 [.400, .600]")]
    assert positions == sorted(positions)
    assert "-.100 [-.200, .300]" in text
    assert text.count(" - ") == 3
    assert column(text, "networks").count("12345") == len(THREE)
    for split_by in ("components", "[b]lot"):
        assert column(text, "split").count(split_by) == len(THREE)
    for count in ("120", "1234"):
        assert column(text, "tures").count(count) == len(THREE)
    for model in ("a_random_forest_of_trees", "[b]ridge"):
        assert column(text, "model").count(model) == len(THREE)
    assert column(text, "grammar").count("quick_with_products_of_features") == len(THREE)


def test_no_features_and_no_yardsticks():
    assert "rank" in rendered(feature_ranking_table([], "none"))
    assert "model" in rendered(yardstick_table([]))


def test_only_the_first_features_are_shown():
    rows = [{"feature": f"f{i}", "tau": {"d": i / 10}, "coverage": 1.0} for i in range(6)]
    text = rendered(feature_ranking_table(rows, "title", 2))
    assert re.findall(r"f[0-9]", text) == ["f5", "f4"]
    assert "fined" not in text
    rows[4]["undefined"] = {"d": 7}
    text = rendered(feature_ranking_table(rows, "title", 2))
    assert column(text, "fined") == "7"


@pytest.mark.parametrize("width", [80, 120])
def test_agreement_shows_the_closest_first(width):
    rows = [
        {
            "proxy": proxy,
            "dataset": dataset,
            "published": f"{dataset}_{proxy}",
            "networks": 498,
            "rho": rho,
            "between_seeds": between_seeds,
        }
        for proxy, dataset, rho, between_seeds in (
            ("[b]far", "cifar10", -0.5, 0.25),
            ("nothing", "cifar10", None, None),
            ("jacob_cov_x_params", "ImageNet16-120", 0.98765, 0.87654),
        )
    ]
    text = rendered(agreement_table(rows), width)
    assert re.findall(r"-?\.[0-9]{4}", text) == [".9877", ".8765", "-.5000", ".2500"]
    cells = [[cell.strip() for cell in line.split("│")[1:-1]] for line in text.splitlines()]
    names, _, published, *_ = ("".join(c) for c in zip(*filter(None, cells), strict=True))
    assert names == "jacob_cov_x_params[b]farnothing"
    assert "cifar10_[b]far" in published
    assert re.findall(r" - ", text) == [" - "]
    assert text.count("498") == 3
    assert "agreement" in rendered(agreement_table([]))


@pytest.mark.parametrize("width", [80, 120])
def test_a_combination_has_a_row_for_each_weight(width):
    content = {
        "first": "[b]naswot",
        "second": "params",
        "weights": [0.0, 0.125, 1.0],
        "tau": {"cifar10": [0.25, None, -0.5], "ImageNet16-120": [0.75, 0.625, 0.5]},
    }
    text = rendered(combine_table(content), width)
    assert "w times [b]naswot plus 1 - w times params" in " ".join(text.split())
    assert column(text, "w") == "0.0000.1251.000"
    assert column(text, "cifar10") == ".2500--.5000"
    assert column(text, "ImageNet16-120") == ".7500.6250.5000"
    assert "without" not in text
    text = rendered(combine_table(content | {"undefined": {"cifar10": 2}}), width)
    assert "cifar10: without 2 networks on which one of the two" in " ".join(text.split())


@pytest.mark.parametrize(
    ("low", "high", "outcome"),
    [(0.1, 0.3, "won"), (-0.3, -0.1, "lost"), (-0.1, 0.1, "even"), (None, None, "even")],
)
def test_differences_show_who_is_ahead(low, high, outcome):
    tau = None if low is None else (low + high) / 2
    rows = [
        {"against": against, "dataset": dataset, "tau": tau, "low": low, "high": high}
        for dataset in DATASETS
        for against in (*BASELINES, "greedy")
    ]
    text = rendered(difference_table("champion", rows))
    assert text.count(outcome) == len(rows)
    for against in (*BASELINES, "greedy"):
        assert text.count(f"\n{against} ") == len(DATASETS)
    interval = f"{tau or 0:+.3f} [{low or 0:+.3f}, {high or 0:+.3f}]".replace("0.", ".")
    assert (" - " if tau is None else interval) in text


def test_a_difference_from_a_formula_is_cut_in_the_middle():
    rows = [{"against": FORMULA, "dataset": "cifar10", "tau": 0.1, "low": 0.05, "high": 0.2}]
    text = rendered(difference_table(FORMULA, rows), shortened=True)
    assert FORMULA[:20] in text
    assert f"{FORMULA[-20:]} +.100 [+.050, +.200] won" in text


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
    text = rendered(score_table(rows), shortened=proxy == FORMULA)
    for model, _, reason in models:
        assert model in column(text, "model")
        assert reason in column(text, "reason")
    assert f"scores of {proxy[:20]}" in text
    assert "-1.23456e-300" in column(text, "score")
    assert column(text, "rank") == "123"


@pytest.mark.parametrize(
    ("scores", "shown"),
    [
        ((652.2561, 561.8, -5.61823), ["652.256", "561.800", "-5.618"]),
        ((1_073_466.0, 330.0), ["1073466", "330"]),
        ((0.5, 0.0012345, 0.0), ["0.500000", "0.001234", "0.000000"]),
        ((3e20, 1.0), ["3.00000e+20", "1.00000e+00"]),
        ((0.0,), ["0"]),
    ],
)
def test_scores_have_the_digits_that_matter(scores, shown):
    rows = [
        {"model": "m", "proxy": "p", "score": score, "seconds": 1, "reason": ""} for score in scores
    ]
    text = rendered(score_table(rows))
    cells = [line.split("│")[3].strip() for line in text.splitlines() if "│" in line]
    assert cells == shown
    assert "reason" not in text


def test_a_formula_has_rounded_constants_and_a_line_for_each_term():
    formula = "-0.01448624 * params + -1234.5678 * sum_layers(norm(weight)) - (params - 2.0)"
    terms = ["-0.01449 * params", "- 1235.0 * sum_layers(norm(weight))", "- (params - 2.0)"]
    assert formula_lines(formula) == [" ".join(terms)]
    assert formula_lines(formula, 40) == terms
    assert formula_lines(formula, 30)[1:3] == ["- 1235.0 *", "    sum_layers(norm(weight))"]


def test_proxies_show_formulas_to_their_end():
    rows = eznas.proxies()
    text = rendered(proxy_table(rows))
    for name, heading in (("proxy",) * 2, ("formula",) * 2, ("source",) * 2, ("note", "source")):
        shown = column(text, heading)
        assert all(r[name].replace(" ", "") in shown for r in rows)
    assert any(r["note"] for r in rows)


def test_the_title_tells_several_spaces_apart():
    macro = row("champion", "macro/cifar10", 0.5) | {"networks": 60, "accuracy": "test"}
    text = rendered(correlation_table([row("champion", "cifar10", 0.4), macro]))
    lines = [line.strip() for line in text.splitlines()[:3]]
    assert lines == [
        "cifar10: 500 networks (held-out part), validation accuracy",
        "macro/cifar10: 60 networks (held-out part), test accuracy",
        "initialisation seeds 0, 1, 2",
    ]
