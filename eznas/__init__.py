"""Genetic programming that discovers zero-cost proxies: formulas that rank untrained networks."""

from importlib import import_module
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from eznas.discovery.callbacks import Callback, CallbackList, TensorBoard
from eznas.discovery.config import Config
from eznas.discovery.front import Front, front
from eznas.discovery.result import Result
from eznas.discovery.run import evolve, resume
from eznas.discovery.setup import estimate
from eznas.errors import InputError
from eznas.proxies.listing import list_discovered as discovered_proxies
from eznas.proxies.listing import list_proxies as proxies
from eznas.proxies.loading import load
from eznas.proxies.proxy import Proxy
from eznas.proxies.scoring import score
from eznas.report.exporting import export
from eznas.search.result import SearchResult
from eznas.search.result import compare as compare_searches
from eznas.spaces import SPACES
from eznas.studies.ablation import ablation
from eznas.studies.agreement import agreement
from eznas.studies.arena import arena
from eznas.studies.calibrate import calibrate
from eznas.studies.combine import Combination, combine
from eznas.studies.compare import compare
from eznas.studies.correlate import Correlation, correlate
from eznas.studies.explain import Explanation, explain
from eznas.studies.features import features
from eznas.studies.records import build_records
from eznas.studies.run_report import Report, write_report
from eznas.studies.search import search_architectures
from eznas.studies.split_comparison import compare_splits
from eznas.studies.splitting import split
from eznas.studies.yardsticks import yardsticks

if TYPE_CHECKING:
    from eznas.discovery.estimator import ProxySearch
    from eznas.studies.budgets import Budgets, budgets
    from eznas.studies.few_shot import few_shot
    from eznas.studies.latent_comparison import latent_compare
    from eznas.studies.latent_result import LatentSearch
    from eznas.studies.latent_search import latent_search
    from eznas.studies.prediction import predict
    from eznas.studies.supernets import rank_supernets, train_supernets
    from eznas.supernets.few_shot import Supernets

__version__ = version("eznas")
_LATER = {  # imported when asked for: half a second, for scikit-learn
    "Budgets": "eznas.studies.budgets",
    "ProxySearch": "eznas.discovery.estimator",
    "LatentSearch": "eznas.studies.latent_result",
    "Supernets": "eznas.supernets.few_shot",
    "budgets": "eznas.studies.budgets",
    "few_shot": "eznas.studies.few_shot",
    "latent_compare": "eznas.studies.latent_comparison",
    "latent_search": "eznas.studies.latent_search",
    "predict": "eznas.studies.prediction",
    "rank_supernets": "eznas.studies.supernets",
    "train_supernets": "eznas.studies.supernets",
}
__all__ = [
    "SPACES",
    "Budgets",
    "Callback",
    "CallbackList",
    "Combination",
    "Config",
    "Correlation",
    "Explanation",
    "Front",
    "InputError",
    "LatentSearch",
    "Proxy",
    "ProxySearch",
    "Report",
    "Result",
    "SearchResult",
    "Supernets",
    "TensorBoard",
    "ablation",
    "agreement",
    "arena",
    "budgets",
    "build_records",
    "calibrate",
    "combine",
    "compare",
    "compare_searches",
    "compare_splits",
    "correlate",
    "discovered_proxies",
    "estimate",
    "evolve",
    "explain",
    "export",
    "features",
    "few_shot",
    "front",
    "latent_compare",
    "latent_search",
    "load",
    "predict",
    "proxies",
    "rank_supernets",
    "resume",
    "score",
    "search_architectures",
    "split",
    "train_supernets",
    "write_report",
    "yardsticks",
]


def __getattr__(name: str) -> Any:
    """The names of `_LATER`."""
    if name not in _LATER:
        raise AttributeError(f"module 'eznas' has no attribute {name!r}")
    return getattr(import_module(_LATER[name]), name)
