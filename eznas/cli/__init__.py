"""The command line: parses and prints; everything it does goes through `eznas.api`."""

from eznas.cli import studies  # noqa: F401  (registers its commands)
from eznas.cli.app import main

__all__ = ["main"]
