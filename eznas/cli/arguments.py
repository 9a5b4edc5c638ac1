"""Arguments that commands share: proxies and runs, by their names, which a shell completes."""

from collections.abc import Callable, Iterable
from typing import Annotated, Any

import typer

from eznas.cli.app import notes
from eznas.proxies.aliases import ALIASES
from eznas.proxies.loading import NAMES
from eznas.system.folder import ROOT, run_names

PROXY_HELP = (
    "A name that `eznas proxies` lists (`default` is what the evidence recommends), a formula, a "
    ".json file, a run (its champion), or RUN#K (formula K of the run's archive)."
)


def noted(proxies: Any) -> Any:
    """Callback of options and arguments that name one or several proxies: what an alias stands for,
    and why, is said once the command has printed its result."""
    for proxy in [proxies] if isinstance(proxies, str) else proxies or ():
        if proxy.strip() in ALIASES:
            notes[ALIASES[proxy.strip()].note] = None
    return proxies


def completed(names: Callable[[], Iterable[str]]) -> Callable[[str], list[str]]:
    """What a shell completes a word to: of these names, those that begin with it."""
    return lambda incomplete: [name for name in names() if name.startswith(incomplete)]


_PROXIES = completed(lambda: [*NAMES, *run_names()])
Proxy = Annotated[
    str,
    typer.Argument(metavar="PROXY", help=PROXY_HELP, callback=noted, autocompletion=_PROXIES),
]
Run = Annotated[
    str,
    typer.Argument(
        metavar="RUN",
        help=f"The name of a run in {ROOT}/, or its folder.",
        autocompletion=completed(run_names),
    ),
]
Proxies = Annotated[
    list[str],
    typer.Argument(
        metavar="PROXY",
        help=f"{PROXY_HELP} `classics`: all published proxies.",
        callback=noted,
        autocompletion=_PROXIES,
    ),
]
