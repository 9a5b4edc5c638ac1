"""Numbers of the guide's evidence stand in a study's JSON, to the printed digits."""

import numpy as np
import pytest

from eznas.discovery.setup import BASELINES
from eznas.formulas.parser import parse
from eznas.proxies.classics import CLASSICS
from eznas.report.search_tables import ahead
from eznas.studies.final import looks
from tests.guide.evidence import (
    DATASETS,
    by_dataset,
    content,
    difference,
    interval,
    rows_of,
    tables,
    tables_in,
)
from tests.guide.pages import README, ROOT

STUDY, ALL = "nasbench201-study", "nasbench201-all"
SEARCHES = "search-nasbench201"
FIGURES = {
    "tau [95 %]": interval("tau"),
    "rho": ("rho",),
    "partial rho": ("partial_rho",),
    "top-10 % rho": ("top10_rho",),
    "nDCG": ("ndcg",),
    "regret@1": ("regret1",),
}
EQUALS = {"tau [95 %] among equals": interval("within_tau")}
VARIATION = {
    "tau of one, mean over 5": ("mean",),
    "its standard deviation": ("deviation",),
    "tau of the 5 averaged": ("tau",),
    "tau between two": ("agreement",),
}
PAIRED = {"tau": ("tau", "low", "high"), "rho": interval("rho")}
MINUS = {"part": "difference", "name": "against"}
CLAIM = "The hybrid's claim"
NASBENCH201 = [  # heading, number of the table, rows of the study, columns with their keys
    (
        "All of them, on the study",
        0,
        rows_of(f"{STUDY}/rows.json", f"{STUDY}/rows-1016.json"),
        FIGURES,
    ),
    (
        "Networks without unreachable operations",
        0,
        rows_of(f"{STUDY}/rows-reachable.json"),
        FIGURES,
    ),
    ("When size says nothing", 0, rows_of(f"{STUDY}/within-live-params.json"), EQUALS),
    ("How much hangs on the draw of the weights", 0, rows_of(f"{STUDY}/variation.json"), VARIATION),
    (CLAIM, 0, rows_of(f"{STUDY}/against-hybrid.json", **MINUS), PAIRED),
    (CLAIM, 2, rows_of(f"{ALL}/rows.json"), {"tau [95 %]": interval("tau"), "rho": ("rho",)}),
]


def differences(shown, rows, columns):
    """What the rows of a table, whose cells have three data sets, say that a study does not."""
    assert shown
    for row in shown:
        proxy = next(iter(row.values()))
        for heading, keys in columns.items():
            for dataset, text in by_dataset(row[heading]).items():
                if problem := difference(text, rows[proxy, dataset], keys):
                    yield f"{proxy}, {dataset}, {heading}: {problem}"


@pytest.mark.parametrize(("heading", "number", "rows", "columns"), NASBENCH201)
def test_a_table_of_nasbench201(heading, number, rows, columns):
    shown = tables("evidence-nasbench201", heading)[number]
    assert not list(differences(shown, rows, columns))


@pytest.mark.parametrize(
    ("networks", "file"),
    [("all 15,625", f"{ALL}/rows.json"), ("held out, 5,707", f"{ALL}/rows-held-out.json")],
)
def test_the_hybrid_s_claim_on_many_networks(networks, file):
    shown = [r for r in tables("evidence-nasbench201", CLAIM)[1] if r["networks"] == networks]
    assert len(shown) == 2
    assert not list(differences(shown, rows_of(file, **MINUS), PAIRED))
    assert f"{content(file)['rows'][0]['networks']:,}" in networks


def test_five_seeds():
    *shown, mean, deviation = tables("evidence-runs", "Five seeds on NAS-Bench-201")[0]
    assert [row["seed"] for row in shown] == ["1", "2", "3", "4", "5"]
    taus = []
    for row in shown:
        file = f"quick-seed-{row['seed']}/result.json"
        result = content(file)
        assert int(row["seconds"]) == round(result["seconds"])
        assert int(row["nodes"]) == parse(result["formula"]).size <= 300
        held_out, against = rows_of(file, part="held_out"), rows_of(file, **MINUS)
        champion = [{"proxy": "champion"} | row]
        columns = {
            "tau": ("tau",),
            "partial rho": ("partial_rho",),
            "rho of the top tenth": ("top10_rho",),
        }
        assert not list(differences(champion, held_out, columns))
        for proxy in ("jacob_cov_x_params", "greedy"):
            heading = f"minus {proxy.replace('_x_', ' x ')}"
            minus = [{"proxy": proxy} | row]
            assert not list(differences(minus, against, {heading: PAIRED["tau"]}))
        of_mean = against["greedy", "mean"]
        assert not difference(row["mean minus greedy"], of_mean, PAIRED["tau"])
        taus.append([held_out["champion", dataset]["tau"] for dataset in DATASETS])
    assert mean["tau"] == " / ".join(f"{value:.3f}" for value in np.mean(taus, 0))
    spread = np.std(taus, 0, ddof=1)
    assert deviation["tau"] == " / ".join(f"{value:.3f}".lstrip("0") for value in spread)


def test_five_seeds_on_untouched_networks():
    shown = tables("evidence-runs", "Five seeds on NAS-Bench-201")[1]
    look = looks(ROOT / "runs" / "LOOKS.jsonl")[2]
    greedy = "quick-seed-1-greedy"
    assert (look["networks"], look["against"], look["before"]) == (2000, greedy, 1)
    rows = {(row["proxy"], row["dataset"]): row for row in look["rows"]}
    minus = {(row["against"], row["dataset"]): row for row in look["difference"]}
    assert [row["formula"] for row in shown] == [*dict.fromkeys(p for p, _ in minus), "greedy"]
    columns = {"tau": ("tau",), "partial rho": ("partial_rho",)}
    columns["rho of the top tenth"] = ("top10_rho",)
    for row in shown:
        proxy = greedy if row["formula"] == "greedy" else row["formula"]
        assert not list(differences([{"proxy": proxy} | row], rows, columns))
        if proxy != greedy:  # the look has greedy minus the formula
            of_mean = {key: -minus[proxy, "mean"][key] for key in ("tau", "high", "low")}
            cell = row["mean minus greedy"]
            assert not difference(cell, of_mean, ("tau", "high", "low"))


def test_one_formula_for_four_spaces():
    shown = tables("evidence-runs", "One formula for four spaces")[0]
    rows = rows_of("general-seed-1/result.json", part="held_out")
    datasets = [heading for heading in shown[0] if "/" in heading]
    assert {(row["proxy"], d) for row in shown for d in datasets} == rows.keys()
    for row in shown:
        assert not columns_differ(
            row, rows, row["proxy"], dict(zip(datasets, datasets, strict=True))
        )


def test_the_first_table_of_the_readme():
    specific, general, published = tables_in(README, "What it is worth")[0]
    of_201, of_darts, _ = looks(ROOT / "runs" / "LOOKS.jsonl")
    taus = {(row["proxy"], row["dataset"]): row["tau"] for row in of_201["rows"]}
    others = {"NAS-Bench-101": "nasbench101:test", "NAS-Bench-Macro": "nasbench-macro"}
    others["NAAP-440"] = "naap440"

    def shown(values):
        return "/".join(f"{value:.3f}".lstrip("0") for value in values)

    for row, proxy in ((specific, "nasbench201-c"), (general, "any-a")):
        assert row["NAS-Bench-201"] == shown(taus[proxy, dataset] for dataset in DATASETS)
    best_of_201 = max(CLASSICS.keys() & {p for p, _ in taus}, key=lambda p: taus[p, "cifar10"])
    assert published["NAS-Bench-201"] == shown(taus[best_of_201, d] for d in DATASETS)
    on_darts = {row["proxy"]: row["tau"] for row in of_darts["rows"]}
    assert general["DARTS"] == shown([on_darts["any-a"]])
    assert published["DARTS"] == shown([max(on_darts[p] for p in CLASSICS.keys() & on_darts)])
    rows = rows_of("general-seed-1/result.json", part="held_out")
    for column, space in others.items():
        of_space = {p: row["tau"] for (p, d), row in rows.items() if d == f"{space}/cifar10"}
        assert general[column] == shown([of_space["champion"]])
        assert published[column] == shown([max(of_space[name] for name in BASELINES)])


def test_spaces_that_runs_were_made_without():
    shown = tables("evidence-runs", "One formula for four spaces")[2]
    rows = {}
    for space in ("nasbench201", "nasbench101", "nasbench-macro", "naap440"):
        unseen = rows_of(f"general-without-{space}/result.json", part="held_out")
        rows |= {key: row for key, row in unseen.items() if row["set"] == "space not searched"}
    assert [row["unseen"] for row in shown] == list(dict.fromkeys(d for _, d in rows))
    for row in shown:
        for proxy in row.keys() - {"unseen"}:
            assert not difference(row[proxy], rows[proxy, row["unseen"]], interval("tau"))


def test_three_seeds():
    shown = tables("evidence-runs", "Three earlier seeds")[0]
    assert [row["seed"] for row in shown] == ["1", "2", "3"]
    for row in shown:
        file = f"quick-{row['seed']}/result.json"
        assert int(row["seconds"]) == round(content(file)["seconds"])
        champion = [{"proxy": "champion"} | row]
        tau = {"champion, tau": ("tau",)}
        assert not list(differences(champion, rows_of(file, part="held_out"), tau))
        against = rows_of(file, **MINUS)
        for heading in (h for h in row if h.startswith("minus ")):
            proxy = heading.removeprefix("minus ").replace(" x ", "_x_").replace("live p", "live_p")
            minus = [{"proxy": proxy} | row]
            assert not list(differences(minus, against, {heading: PAIRED["tau"]}))


def test_what_parts_of_the_search_are_worth():
    """Against the search as it is, and the seeds of it and of greedy one by one."""
    parts, _, seeds = tables("evidence-runs", "What parts of the search are worth")[:3]
    rows = content("ablation-nasbench201/parts.json")["variants"]
    for shown, row in zip(parts, rows, strict=True):
        assert shown["search"].startswith(row["variant"])
        assert int(shown["nodes"]) == round(row["nodes"])
        assert not difference(shown["tau"], row["mean"], range(3))
        if row is not rows[0]:
            assert not difference(shown["minus as it is"], row["minus"], range(3))
            lost = sum(high < 0 for _, _, high in row["minus_by_fold"])
            assert shown["lost"] == f"{lost} of {row['folds']}"
    own, *yardsticks = content("ablation-nasbench201/alone.json")["variants"]
    headings = (
        "ahead of greedy, best of all kinds",
        "of greedy, by folds",
        "of the latter, refined",
    )
    for fold, shown in enumerate(seeds):
        assert int(shown["seed"]) == fold + 1
        assert not difference(shown["as it is"], own["by_fold"], [fold])
        for heading, greedy in zip(headings, yardsticks, strict=True):
            less, low, high = greedy["minus_by_fold"][fold]
            assert not difference(shown[heading], [-less, -high, -low], range(3))
    assert len(seeds) == own["folds"]


def columns_differ(row, rows, proxy, datasets):
    """Problems of a row that has a column for each data set: heading -> name."""
    problems = [difference(row[h], rows[proxy, d], interval("tau")) for h, d in datasets.items()]
    return [problem for problem in problems if problem]


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_the_networks_of_three_seeds(seed):
    shown = tables("evidence-runs", "Three earlier seeds")[1]
    rows = rows_of(f"quick-{seed}/result.json", part="held_out")
    datasets = dict(zip(("CIFAR-10", "CIFAR-100", "ImageNet16-120"), DATASETS, strict=True))
    names = [row["proxy"] for row in shown]
    assert f"greedy (seed {seed})" in names
    for row in shown:
        proxy = row["proxy"].removesuffix(f" (seed {seed})")
        if "(seed" not in proxy:
            assert not columns_differ(row, rows, proxy, datasets)


def test_two_spaces():
    [shown] = tables("evidence-runs", "Two spaces, and a third one never seen")
    result = content("two-spaces-1/result.json")
    assert round(result["seconds"]) == 827
    rows = rows_of("two-spaces-1/result.json", part="held_out")
    datasets = {heading: heading for heading in shown[0] if heading != "proxy"}
    assert set(datasets) == {dataset for _, dataset in rows}
    assert len(shown) == 10
    for row in shown:
        assert not columns_differ(row, rows, row["proxy"], datasets)


def test_four_spaces():
    shown = tables("evidence-spaces", "Evidence: published proxies in four search spaces")[0]
    rows = {
        "NAS-Bench-201": rows_of(f"{STUDY}/rows.json", f"{STUDY}/rows-1016.json"),
        "NAS-Bench-Macro": rows_of("nasbench-macro/rows.json"),
        "NAS-Bench-101": rows_of("nasbench101/rows.json"),
        "DARTS (surrogate)": rows_of("nds-darts/rows.json", "nds-darts/rows-32.json"),
    }
    assert len(shown) == 35
    for row in shown:
        taus = []
        for space, of_space in rows.items():
            key = (row["proxy"], "cifar10")
            if key in of_space:
                assert not columns_differ(row, of_space, row["proxy"], {space: "cifar10"})
                taus.append(of_space[key]["tau"])
            else:
                assert row[space] == "–"  # noqa: RUF001
        assert not difference(row["mean"], {"mean": sum(taus) / len(taus)}, ["mean"])


def test_the_choice_of_default():
    [shown] = tables("evidence-spaces", "The choice of `default`")
    rows = {
        "NAS-Bench-201": rows_of(f"{STUDY}/rows.json"),
        "NAS-Bench-Macro": rows_of("nasbench-macro/rows.json"),
        "NAS-Bench-101": rows_of("nasbench101/rows.json"),
        "DARTS": rows_of("nds-darts/rows.json"),
        "NAAP-440": rows_of("naap440/rows.json"),
    }
    means = []
    for row in shown:
        key = (row["proxy"], "cifar10")
        taus = {space: of_space[key]["tau"] for space, of_space in rows.items()}
        assert not [space for space in rows if difference(row[space], taus, [space])]
        means.append(sum(taus.values()) / len(taus))
        assert not difference(row["mean"], {"mean": means[-1]}, ["mean"])
    assert means == sorted(means, reverse=True)


@pytest.mark.parametrize(
    ("space", "heading"), [("nasbench101", "NAS-Bench-101, 301"), ("nds-darts", "DARTS, 500")]
)
def test_what_needs_no_pass(space, heading):
    shown = tables("evidence-spaces", "Evidence: published proxies in four search spaces")[1]
    rows = rows_of(f"{space}/rows-sizes.json")
    assert len(shown) == len(rows)
    for row in shown:
        assert not columns_differ(row, rows, row["proxy"], {heading: "cifar10"})


def test_features():
    models, best = tables("evidence-features", "Evidence: what short features are worth")
    study = content(f"{STUDY}/features.json")
    taus = {row["feature"]: row["tau"] for row in study["features"]}
    headings = dict(zip(("CIFAR-10", "CIFAR-100", "ImageNet16-120"), DATASETS, strict=True))
    for row in best:
        tau = taus[row["feature"].strip("`")]
        assert not [d for h, d in headings.items() if difference(row[h], tau, [d])]
    yardsticks = {
        (row["model"], f"{row['language']} ({row['features']})", row["split_by"], dataset): tau
        for row in study["yardsticks"]
        for dataset, tau in row["tau"].items()
    }
    for row in models:
        names = (row["model"], row["features"])
        for heading, split_by in (
            ("split by components [95 %]", "components"),
            ("split by networks", "networks"),
        ):
            for dataset, text in by_dataset(row[heading]).items():
                tau = yardsticks[(*names, split_by, dataset)]
                assert not difference(text, tau, range(3 if "[" in text else 1))


def test_published_scores():
    [shown] = tables("evidence-published", "Scores of NAS-Bench-Suite-Zero")
    rows = rows_of(f"{STUDY}/agreement.json")
    for row in shown:
        ours = rows[row["proxy"], "cifar10"]
        assert ours["published"] == row["published column"]
        assert not difference(row["rho"], ours, ["rho"])
        assert not difference(row["between two draws of ours"], ours, ["between_seeds"])
    assert len(shown) == len(rows)


def test_searches():
    """The best so far of every method, and how far proxies are ahead in pairs of repeats."""
    best, pairs = tables("search", "What was measured")
    assert [len(best), len(pairs)] == [5, 4]
    for dataset in DATASETS:
        of = dataset.removesuffix("16-120").lower()  # how its files begin
        [column] = (h for h in best[0] if h.replace("CIFAR-", "cifar").startswith(f"{dataset} "))
        known = content(f"{SEARCHES}/{of}-random.json")["best_known"]
        assert column.endswith(f"(best {known:.2f})")
        for row in best:
            curve = content(f"{SEARCHES}/{of}-{row['search']}.json")["curve"]["mean"]
            expected = [f"{curve[queries - 1]:.2f}" for queries in (25, 50, 100, 150)]
            assert row[column].split(", ") == expected, (row["search"], dataset)
        rows = {
            row["queries"]: row
            for row in content(f"{SEARCHES}/{of}-comparison.json")["rows"]
            if row["search"] == f"{of}-guided-both"
        }
        for row in pairs:
            compared = rows[int(row["queries"])]
            assert row[column.partition(" (")[0]] == ahead(compared)


@pytest.mark.parametrize(
    ("text", "same"),
    [
        ("0.582 [0.51, 0.640]", True),
        ("0.583 [0.51, 0.640]", False),
        ("0.582", False),
        ("–", False),  # noqa: RUF001
    ],
)
def test_another_number_is_noticed(text, same):
    row = {"tau": 0.58213, "tau_low": 0.5102, "tau_high": 0.64035}
    assert (not difference(text, row, interval("tau"))) is same
