"""Calibrations in the box: how a proxy's scores become probabilities, for networks of one space.

A new one is a file here, as `eznas calibrate` writes it, and is found by its formula and space.
"""

from pathlib import Path

CALIBRATED: tuple[Path, ...] = tuple(sorted(Path(__file__).parent.glob("*.json")))
