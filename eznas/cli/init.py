"""The command that writes a configuration to begin with."""

from pathlib import Path
from typing import Annotated

import typer

from eznas.cli.app import app, line
from eznas.discovery.config import PRESETS
from eznas.discovery.config_file import commented
from eznas.system.files import check_new, write_whole


@app.command()
def init(
    file: Annotated[
        Path, typer.Argument(metavar="[CONFIG.toml]", help="The file to write.")
    ] = Path("evolve.toml"),
    preset: Annotated[
        str, typer.Option(help="Whose settings: " + " or ".join(PRESETS) + ".")
    ] = "quick",
    force: Annotated[bool, typer.Option("--force", help="Replace the file if it exists.")] = False,
) -> None:
    """Write a configuration for `eznas evolve`: every setting with its meaning and its default."""
    content = commented(preset)
    check_new(file, force)
    write_whole(file, content)
    line(f"wrote {file}; `eznas evolve {file}` runs it")
