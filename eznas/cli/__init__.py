"""The command line: parses and prints; everything it does goes through the packages below it."""

from eznas.cli import (  # noqa: F401  (register their commands)
    ablation,
    comparing,
    data,
    doctor,
    final,
    formulas,
    guide,
    init,
    latent,
    predictors,
    proxies,
    records,
    runs,
    search,
    speed,
    splits,
    studies,
    supernets,
    watching,
)
from eznas.cli.app import app
from eznas.cli.main import main
from eznas.cli.panels import arrange

arrange(app)
__all__ = ["main"]
