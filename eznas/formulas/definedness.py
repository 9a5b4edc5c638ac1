"""Where short features are defined: on networks of every space, and small models of other kinds.

The table ships as `definedness.txt`, made by `eznas records definedness`. What is defined on all of
these is likely to be on a network of any kind; what is not there was not tried.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from eznas.formulas.expression import Expression

FILE = "definedness.txt"
_HEAD = """\
# Where features have a finite score, made by `eznas records definedness`. First the networks (of a
# space: name and architecture), then the features, with the names of those where they have none.
"""


@dataclass(frozen=True)
class Definedness:
    """`networks`: name -> the architecture that it is in its space ("": a small model);
    `undefined_on`: canonical text of a feature -> the networks on which it has no finite score."""

    networks: Mapping[str, str]
    undefined_on: Mapping[str, tuple[str, ...]]

    def is_everywhere(self, feature: Expression) -> bool:
        """Whether a feature is known to have a finite score on all networks."""
        return self.undefined_on.get(feature.canonical.text) == ()

    def as_text(self) -> str:
        """The table as a text, a line for each network and each feature."""
        rows = [("network", *row) for row in self.networks.items()]
        rows += [("feature", text, " ".join(names)) for text, names in self.undefined_on.items()]
        lines = [f"{kind} {name}{': ' * bool(rest)}{rest}" for kind, name, rest in rows]
        return _HEAD + "\n".join(lines) + "\n"

    @staticmethod
    def of_text(text: str) -> "Definedness":
        """The table that `as_text` wrote."""
        networks, undefined_on = dict[str, str](), dict[str, tuple[str, ...]]()
        for line in text.splitlines():
            kind, _, content = line.partition(" ")
            name, _, rest = content.partition(": ")
            if kind == "network":
                networks[name] = rest
            elif kind == "feature":
                undefined_on[name] = tuple(rest.split())
        return Definedness(networks, undefined_on)


@cache
def shipped() -> Definedness:
    """The table of this version."""
    text = files("eznas.formulas").joinpath(FILE).read_text(encoding="utf-8")
    return Definedness.of_text(text)


def everywhere(features: Iterable[Expression]) -> list[Expression]:
    """Those of some features that are known to have a finite score on all networks of the shipped
    table."""
    return [feature for feature in features if shipped().is_everywhere(feature)]
