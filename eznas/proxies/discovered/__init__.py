"""Discovered proxies: formulas that runs have found, as proxy files with their evidence.

A new one is a file `NAME.json` here, as `eznas export` writes it, and is loaded by its name.
"""

from pathlib import Path

DISCOVERED: dict[str, Path] = {
    path.stem: path for path in sorted(Path(__file__).parent.glob("*.json"))
}
