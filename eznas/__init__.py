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
from eznas.spaces import SPACES
from eznas.studies.agreement import agreement
from eznas.studies.combine import Combination, combine
from eznas.studies.correlate import Correlation, correlate
from eznas.studies.features import features

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
    "agreement",
    "combine",
    "correlate",
    "estimate",
    "evolve",
    "export",
    "features",
    "load",
    "proxies",
    "resume",
    "score",
]
