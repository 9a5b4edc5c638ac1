"""The command line: parses and prints; everything it does goes through the packages below it."""

from eznas.cli import data, doctor, proxies, runs, studies  # noqa: F401  (register their commands)
from eznas.cli.main import main

__all__ = ["main"]
