"""Genetic programming that discovers zero-cost proxies: formulas that rank untrained networks."""

from importlib.metadata import version

from eznas.api import Result, correlate, evolve, export, load, proxies, score
from eznas.config import Config
from eznas.errors import InputError
from eznas.proxies.proxy import Proxy
from eznas.spaces import SPACES

__version__ = version("eznas")
__all__ = [
    "SPACES",
    "Config",
    "InputError",
    "Proxy",
    "Result",
    "correlate",
    "evolve",
    "export",
    "load",
    "proxies",
    "score",
]
