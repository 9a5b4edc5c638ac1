"""Aliases: names that stand for the proxies which the evidence recommends.

A row is data: later evidence replaces `proxy` and `why`, and a test derives both rows from what
runs have recorded. An alias is no proxy of its own: what it names keeps its name everywhere.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Alias:
    """A name, the proxy that it stands for, and why that one."""

    name: str
    proxy: str
    why: str

    @property
    def note(self) -> str:
        """What someone who asks for the alias should know, in one line."""
        return f"{self.name} is {self.proxy}: {self.why}"


_ROWS = (
    # By mean tau over all spaces with recorded rows the best of those that score every kind of
    # model and tell them apart.
    Alias("default", "flops", "a classic, size; no discovered one is better everywhere"),
    # Of all runs' champions of at most 100 nodes the best on held-out networks of NAS-Bench-201, by
    # mean tau over three data sets with validation accuracy. Longer ones are better there, and wait
    # for figures on networks that nothing was chosen on.
    Alias("default_nasbench201", "nasbench201-b", "discovered, for that space alone"),
)

ALIASES: dict[str, Alias] = {row.name: row for row in _ROWS}


def aliases_of(proxy: str) -> list[str]:
    """The aliases that stand for a proxy."""
    return [alias.name for alias in ALIASES.values() if alias.proxy == proxy]
