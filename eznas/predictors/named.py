"""Named predictors: one row each. A new one is a row here; the conformance suite finds it."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from eznas.errors import InputError, unknown
from eznas.predictors.averaging import Averaged
from eznas.predictors.base import TARGETS, Predictor
from eznas.predictors.curves import SUMMARIES
from eznas.predictors.measurements import Measurements
from eznas.predictors.regressors import REGRESSORS, Residual, regressor
from eznas.proxies.classics import CLASSICS
from eznas.proxies.discovered import DISCOVERED
from eznas.proxies.loading import NAMES
from eznas.proxies.loading import load as load_proxy
from eznas.statistics.catalogue import CATALOGUE

CHAMPION = "nasbench201-a"  # of `eznas.proxies.discovered`
PROXIES = (  # those that say something of their own and take less than a second
    *("params", "live_params", "live_flops", "depth", "live_l2_norm", "snip", "grad_norm"),
    *("fisher", "synflow", "logsynflow", "zico", "gradsign", "naswot", "jacob_cov", "epe_nas"),
    *("zen", "meco", "swap", "az_expressivity", "az_progressivity", "az_trainability"),
    "eznas_a_sum",
)


def _averaged(trees: Any) -> Averaged:
    """A third of the trees for each group of columns: there are several groups."""
    fewer = trees.set_params(n_estimators=trees.n_estimators // 3)
    return Averaged(fewer, seed=trees.random_state)


# Texts of features that are not proxies.
FEATURES = ("encoding", "graph", "paths", "proxies", "champion", "curve", *SUMMARIES)
AROUND: dict[str, Any] = {"residual": Residual, "averaged": _averaged}  # around a regressor


@dataclass(frozen=True)
class NamedPredictor:
    """A row of the table.

    `features` as `eznas.predictors.features` has them, with `proxies` for those that `load` is
    given and `champion` for its champion; `regressor`: a name of `REGRESSORS`, "" for the feature
    itself; `around` it: a name of `AROUND`, or "". `source` of the method; `note`: what to know
    before using it.
    """

    name: str
    features: tuple[str, ...]
    regressor: str
    source: str
    note: str = ""
    around: str = ""

    @property
    def slow(self) -> bool:
        """Whether a fit takes seconds."""
        return bool(self.regressor) and REGRESSORS[self.regressor].slow


def _row(name: str, features: str, regressor: str, note: str = "") -> NamedPredictor:
    source = REGRESSORS[regressor].source
    return NamedPredictor(name, tuple(features.split()), regressor, source, note)


_SUITE = "Krishnakumar et al., 2022 (NAS-Bench-Suite-Zero)"
_ROWS = (
    # From the choices of an architecture alone.
    _row("linear", "encoding", "linear"),
    _row("gp", "encoding", "gp"),
    _row("nusvr", "encoding", "nusvr"),
    _row("random_forest", "encoding", "random_forest"),
    _row("extra_trees", "encoding", "extra_trees"),
    _row("hist_boosting", "encoding", "hist_boosting"),
    _row("xgboost", "encoding", "xgboost"),
    _row("lightgbm", "encoding", "lightgbm"),
    _row("ngboost", "encoding", "ngboost"),
    _row("bananas", "encoding paths", "mlp_ensemble", "paths: their statistics, not one-hot paths"),
    _row("gin", "graph", "gin", "of the spaces that give graphs"),
    # From proxies: what they mean does not depend on the space.
    _row("proxies_linear", "proxies", "linear"),
    _row("proxies_nusvr", "proxies", "nusvr"),
    _row("proxies_trees", "proxies", "extra_trees"),
    _row("proxies_forest", "proxies", "random_forest"),
    NamedPredictor(
        "suite_xgboost", ("encoding", "proxies"), "xgboost", _SUITE, "fitted within one space"
    ),
    _row("all_trees", "encoding paths proxies", "extra_trees"),
    # With a formula that a search has discovered.
    _row("champion_trees", "champion proxies", "extra_trees", "the champion has seen labels"),
    NamedPredictor(
        "champion_residual",
        ("champion", "proxies"),
        "extra_trees",
        "this project: a discovered formula, and trees for what it leaves",
        "the champion has seen labels",
        around="residual",
    ),
    # From the first epochs of training.
    *(NamedPredictor(s.name, (s.name,), "", s.source) for s in SUMMARIES.values()),
    NamedPredictor(
        "lcsvr",
        ("curve", "params", "flops"),
        "nusvr",
        "Baker et al., 2018; Ru et al., 2021 (LcSVR)",
        "its constants are fixed, not searched for",
    ),
    NamedPredictor(
        "omni",
        ("curve", "proxies", "encoding"),
        "extra_trees",
        "White et al., 2021 (OMNI)",
        "trees of each and of all, averaged by their errors, in place of NGBoost",
        around="averaged",
    ),
    # Proxies by themselves, which need no labels.
    *(NamedPredictor(c.name, (c.name,), "", c.source, c.note) for c in CLASSICS.values()),
    *(
        NamedPredictor(name, (name,), "", "this project: discovered", "has seen labels of a space")
        for name in DISCOVERED
    ),
)
PREDICTORS: dict[str, NamedPredictor] = {row.name: row for row in _ROWS}
_SUPERNETS = NamedPredictor(  # whose features name a folder, so that it is in no loop over names
    "supernet:FOLDER",
    ("supernet:FOLDER",),
    "",
    "Guo et al., 2020 (one-shot); Zhao et al., 2021 (few-shot)",
    "weight sharing: accuracies in trained supernets; supernet:FOLDER+PROXY joins a proxy",
)


def load(
    name: str,
    measurements: Measurements | None = None,
    *,
    proxies: Sequence[str] = PROXIES,
    champion: str = CHAMPION,
    epochs: int | None = None,
    target: str = "normal_scores",
    seed: int = 0,
) -> Predictor:
    """A predictor by its name in `PREDICTORS`, not fitted yet.

    Further texts are read: REGRESSOR[FEATURE; FEATURE; ...] for any combination; supernet:FOLDER,
    the accuracies in trained supernets, and supernet:FOLDER+PROXY, joined with a proxy; and any
    proxy (a run, a file, a formula), which is a predictor by itself. `proxies` and `champion` take
    the places that features of these names keep for them; `measurements`, `epochs`, `target` and
    `seed` as in `Predictor`. Raises `InputError` for other names, proxies that are none, and where
    a library is missing.
    """
    if target not in TARGETS:
        raise unknown("target", target, TARGETS)
    row = _row_of(name)
    single = len(proxies) == 1 and proxies[0].startswith("table:")
    stand_in = proxies[0] if single else f"proxies:{','.join(proxies)}"
    places = {"proxies": stand_in, "champion": champion}
    features = tuple(places.get(text, text) for text in row.features)
    behind: Any = row.regressor or None
    if behind is not None:
        made = regressor(row.regressor, seed)  # raises where its library is missing
        behind = AROUND[row.around](made) if row.around else behind
    predictor = Predictor(
        features, behind, measurements=measurements, epochs=epochs, target=target, seed=seed
    )
    for proxy in predictor.requires.proxies:
        if proxy not in NAMES and proxy not in CATALOGUE:
            _check_proxy(proxy, row.features)  # before others are measured
    return predictor


def check_used(name: str, proxies: Sequence[str], champion: str) -> None:
    """`InputError` where `proxies` or a `champion` other than the usual ones have no place among
    the features of the predictor of this name, so that they would silently be left aside."""
    features = _row_of(name).features
    for place, usual in (
        ("proxies", tuple(proxies) == PROXIES),
        ("champion", champion == CHAMPION),
    ):
        if not usual and place not in features:
            raise InputError(
                f"predictor {name}: has no feature {place}, in whose place others could be taken; "
                f"its features: {', '.join(features)}"
            )


def _row_of(name: str) -> NamedPredictor:
    return PREDICTORS.get(name) or _combined(name) or _of_supernets(name) or _of_proxy(name)


def _check_proxy(text: str, features: Sequence[str]) -> None:
    """`InputError` for a text that is no proxy; a word among the features may mean any feature."""
    try:
        load_proxy(text)
    except InputError:
        if text not in features or not text.replace("-", "_").isidentifier():
            raise
        raise unknown("feature", text, [*FEATURES, *NAMES]) from None


def list_predictors() -> list[dict[str, str]]:
    """Every named predictor, and that of trained supernets: dicts with the keys name, features,
    regressor (what is behind them), source and note."""
    return [
        {
            "name": row.name,
            "features": ", ".join(row.features),
            "regressor": " of ".join(filter(None, (row.around, row.regressor))) or "none",
            "source": row.source,
            "note": row.note,
        }
        for row in (*PREDICTORS.values(), _SUPERNETS)
    ]


def _combined(text: str) -> NamedPredictor | None:
    """The row that REGRESSOR[FEATURE; ...] stands for, None for a text of another form."""
    behind, bracket, rest = text.partition("[")
    if not bracket or not rest.endswith("]"):
        return None
    if behind not in REGRESSORS:
        raise unknown("regressor", behind, REGRESSORS)
    features = tuple(part.strip() for part in rest[:-1].split(";"))
    if not all(features):
        raise InputError(f"predictor {text!r}: expected {behind}[FEATURE; FEATURE; ...]")
    if behind == "gin" and features != ("graph",):
        raise InputError(f"predictor {text!r}: gin reads graphs, expected gin[graph]")
    return NamedPredictor(text, features, behind, REGRESSORS[behind].source)


def _of_supernets(text: str) -> NamedPredictor | None:
    """The row of supernet:FOLDER or supernet:FOLDER+PROXY, None for a text of another form."""
    if not text.startswith("supernet:"):
        return None
    return replace(_SUPERNETS, name=text, features=(text,))


def _of_proxy(name: str) -> NamedPredictor:
    try:
        load_proxy(name.removeprefix("run:"))
    except InputError:
        if not name.replace("-", "_").isidentifier():  # a run, a file or a formula
            raise
        raise unknown("predictor", name, PREDICTORS, "eznas predictors") from None
    return NamedPredictor(name, (name,), "", "a proxy by itself")
