"""Agreement with published scores: rho with each column, in any order of networks."""

import numpy as np
import pytest

import eznas
from eznas.metrics import spearman
from eznas.spaces import SPACES
from eznas.studies import agreement as module
from tests.studies.made_up import SMALL, instead_of_score_all, noisy_scores

ARCHITECTURES = SPACES["nasbench201"].architectures()
NAN = np.nan
KEYS = ["proxy", "dataset", "published", "networks", "rho", "between_seeds"]


def write_published(names, architectures, *columns) -> str:
    """A file of published scores, -1e8 where one failed."""
    rows = [
        ",".join([architecture, *("-1e8" if score != score else repr(score) for score in scores)])
        for architecture, *scores in zip(architectures, *columns, strict=True)
    ]
    with open("scores.csv", "w") as file:
        file.write("\n".join([f"architecture,{names}", *rows]))
    return "scores.csv"


@pytest.fixture
def agreement_of(monkeypatch):
    """`agreement` of made-up scores with the columns of a file, which has the networks in the
    opposite order."""

    def agreement(scored, columns):
        monkeypatch.setattr(module, "score_all", instead_of_score_all(scored))
        scores = (values[::-1].tolist() for values in columns.values())
        architectures = scored.benchmark.architectures[::-1]
        file = write_published(",".join(columns), architectures, *scores)
        datasets = list(scored.scores)
        return eznas.agreement(file, scored.names, datasets=datasets, networks=None)

    return agreement


def test_agreement_is_rho_with_each_column(agreement_of):
    scored = noisy_scores(["naswot", "params"])
    ours = {dataset: scores[0] for dataset, scores in scored.scores.items()}
    columns = {
        "cifar10_nwot": np.exp(ours["cifar10"][0] / 10),
        "cifar100_naswot": -ours["cifar100"][0],
        "params": ours["cifar10"][1],
        "synflow": np.zeros(40),
    }
    rows = {(r["proxy"], r["dataset"]): r for r in agreement_of(scored, columns)}
    assert {k: r["published"] for k, r in rows.items()} == {
        ("naswot", "cifar10"): "cifar10_nwot",
        ("naswot", "cifar100"): "cifar100_naswot",
        ("params", "cifar10"): "params",
        ("params", "cifar100"): "params",
    }
    assert [list(r) for r in rows.values()] == [KEYS] * 4
    assert rows["naswot", "cifar10"]["rho"] == 1
    assert rows["naswot", "cifar100"]["rho"] == -1
    expected = spearman(ours["cifar100"][1], ours["cifar10"][1])
    assert rows["params", "cifar100"]["rho"] == pytest.approx(expected)
    assert all((r["networks"], r["between_seeds"]) == (40, None) for r in rows.values())


def test_agreement_leaves_out_networks_whose_published_score_failed(agreement_of):
    scored = noisy_scores(["naswot"], datasets=["cifar10"])
    theirs = scored.scores["cifar10"][0, 0].copy()
    theirs[[0, 3, 30]] = NAN
    [row] = agreement_of(scored, {"naswot": theirs})
    assert (row["networks"], row["rho"]) == (37, 1)
    [row] = agreement_of(scored, {"naswot": np.full(40, NAN)})
    assert (row["networks"], row["rho"]) == (0, None)
    scored.scores["cifar10"][0, 0, 5] = NAN
    [row] = agreement_of(scored, {"naswot": theirs})
    assert (row["networks"], row["rho"]) == (36, 1)


def test_agreement_of_several_initialisations(agreement_of):
    scored = noisy_scores(["naswot"], seeds=(0, 1, 2), datasets=["cifar10"])
    a, b, c = scored.scores["cifar10"][:, 0]
    theirs = scored.benchmark.accuracies["cifar10"]
    [row] = agreement_of(scored, {"naswot": theirs})
    assert row["rho"] == pytest.approx(np.mean([spearman(ours, theirs) for ours in (a, b, c)]))
    between = np.mean([spearman(a, b), spearman(a, c), spearman(b, c)])
    assert row["between_seeds"] == pytest.approx(between)
    a[5] = NAN  # a score of ours: the other networks count
    [row] = agreement_of(scored, {"naswot": theirs})
    a, b, c, theirs = (np.delete(scores, 5) for scores in (a, b, c, theirs))
    assert row["networks"] == 39
    assert row["rho"] == pytest.approx(np.mean([spearman(ours, theirs) for ours in (a, b, c)]))
    between = np.mean([spearman(a, b), spearman(a, c), spearman(b, c)])
    assert row["between_seeds"] == pytest.approx(between)


def agreement(*proxies: str, **options) -> list[dict]:
    defaults = {"networks": None, "raw": 2, "sketch": 4, "datasets": [SMALL]}
    return eznas.agreement("scores.csv", proxies, **(defaults | options))


def test_agreement_compares_all_proxies_that_the_file_names():
    architectures = ARCHITECTURES[300:15_600:2_200]
    networks = [SPACES["nasbench201"].build(a, 120) for a in architectures]
    params = [sum(p.numel() for p in network.parameters()) for network in networks]
    noise = [(i * 5) % 7 for i in range(7)]
    columns = f"params,{SMALL}_flops,cifar10_naswot,loss"
    write_published(columns, architectures, params, noise, noise, noise)
    rows = agreement()
    assert [(r["proxy"], r["published"]) for r in rows] == [
        ("params", "params"),
        ("operations", f"{SMALL}_flops"),
    ]
    assert (rows[0]["rho"], rows[0]["networks"]) == (1, 7)
    assert all(r["between_seeds"] is None and r["dataset"] == SMALL for r in rows)
    assert agreement("operations", " operations ") == rows[1:]
    [of_few] = agreement("params", networks=5)
    assert of_few["networks"] == 5
    [of_two_seeds] = agreement("params", initialisations=2)
    assert of_two_seeds["between_seeds"] == 1


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"networks": 1}, "networks 1: expected 2 to 3, as the file has"),
        ({"networks": 4}, "networks 4: expected 2 to 3, as the file has"),
        ({"datasets": ["cifar11"]}, "dataset 'cifar11'"),
        ({"space": "nasbench"}, "unknown space 'nasbench'; did you mean 'nasbench201'"),
        ({"proxies": ["naswto"]}, "unknown published column 'naswto'"),
        ({"proxies": ["jacob_cov"]}, "unknown published column 'jacob_cov'"),
        ({"proxies": ["naswot"], "datasets": ["cifar10"]}, "unknown published column 'naswot'"),
        ({"datasets": ["cifar10"]}, r"scores\.csv: no published proxy's scores for cifar10"),
    ],
)
@pytest.mark.usefixtures("unmeasured")
def test_bad_input(options, message):
    write_published(f"{SMALL}_naswot,loss", ARCHITECTURES[:3], [1, 2, 3], [1, 2, 3])
    options = dict(options)
    with pytest.raises(eznas.InputError, match=message) as caught:
        agreement(*options.pop("proxies", ()), **options)
    assert "\n" not in str(caught.value)
