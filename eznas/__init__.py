"""Genetic programming that discovers zero-cost proxies: formulas that rank untrained networks."""

from importlib.metadata import version

from eznas.api import (
    Blend,
    Correlation,
    Result,
    agree,
    blend,
    correlate,
    evolve,
    export,
    load,
    proxies,
    score,
    words,
)
from eznas.discovery.config import Config
from eznas.errors import InputError
from eznas.proxies.proxy import Proxy
from eznas.spaces import SPACES

__version__ = version("eznas")
__all__ = [
    "SPACES",
    "Blend",
    "Config",
    "Correlation",
    "InputError",
    "Proxy",
    "Result",
    "agree",
    "blend",
    "correlate",
    "evolve",
    "export",
    "load",
    "proxies",
    "score",
    "words",
]
