"""Genetic programming that discovers zero-cost proxies: formulas that rank untrained networks."""

from importlib.metadata import version

from eznas.discovery.callbacks import Callback
from eznas.discovery.config import Config
from eznas.discovery.run import Result, evolve, resume
from eznas.discovery.setup import estimate
from eznas.errors import InputError
from eznas.proxies.classics import list_proxies as proxies
from eznas.proxies.loading import export, load
from eznas.proxies.proxy import Proxy
from eznas.proxies.scoring import score
from eznas.search.result import SearchResult
from eznas.search.result import compare as compare_searches
from eznas.spaces import SPACES
from eznas.studies.agreement import agreement
from eznas.studies.combine import Combination, combine
from eznas.studies.correlate import Correlation, correlate
from eznas.studies.features import features
from eznas.studies.search import search_architectures
from eznas.studies.split_comparison import compare_splits
from eznas.studies.splitting import split

__version__ = version("eznas")
__all__ = [
    "SPACES",
    "Callback",
    "Combination",
    "Config",
    "Correlation",
    "InputError",
    "Proxy",
    "Result",
    "SearchResult",
    "agreement",
    "combine",
    "compare_searches",
    "compare_splits",
    "correlate",
    "estimate",
    "evolve",
    "export",
    "features",
    "load",
    "proxies",
    "resume",
    "score",
    "search_architectures",
    "split",
]
