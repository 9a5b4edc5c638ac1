"""The command line: parses and prints; everything it does goes through `eznas.api`."""

from eznas.cli import data, studies  # noqa: F401  (register their commands)
from eznas.cli.app import main

__all__ = ["main"]
