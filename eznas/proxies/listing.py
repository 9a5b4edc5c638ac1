"""What is in the box, as rows: published proxies, and discovered ones with their evidence."""

from typing import Any

from eznas.proxies.aliases import ALIASES, aliases_of
from eznas.proxies.classics import CLASSICS
from eznas.proxies.discovered import DISCOVERED
from eznas.proxies.files import read
from eznas.statistics.catalogue import CATALOGUE

_EVIDENCE = ("dataset", "networks", "set", "accuracy", "tau", "tau_low", "tau_high")


def list_proxies() -> list[dict[str, Any]]:
    """Every published proxy in the order of `CLASSICS`: dicts with the keys proxy (its name),
    formula, source, note (how it differs from its authors' code, "" where it does not) and aliases
    (further names that stand for it)."""
    return [
        {
            "proxy": c.name,
            "formula": c.formula,
            "source": c.source,
            "note": c.note,
            "aliases": aliases_of(c.name),
        }
        for c in CLASSICS.values()
    ]


def list_discovered() -> list[dict[str, Any]]:
    """Every discovered proxy, as its file describes it: dicts with the keys proxy (its name),
    formula, aliases, evidence (a dict for each data set: networks, set, accuracy, tau with its 95 %
    interval), labels (space -> networks whose accuracies its search has seen), and what it costs:
    probes (those that its formula needs), raw_batch and sketch_batch (their images).

    Raises `InputError` for a damaged file.
    """
    rows = []
    for name, path in DISCOVERED.items():
        _, content = read(path)
        rows.append(
            {
                "proxy": name,
                "formula": content.formula,
                "aliases": aliases_of(name),
                "evidence": [{key: row[key] for key in _EVIDENCE} for row in content.evidence],
                "labels": content.labels,
                "probes": sorted({CATALOGUE[name].probe for name in content.statistics}),
                "raw_batch": content.raw_batch,
                "sketch_batch": content.sketch_batch,
            }
        )
    return rows


def list_aliases() -> list[dict[str, str]]:
    """Every alias: dicts with the keys alias, proxy (what it stands for) and why."""
    return [{"alias": a.name, "proxy": a.proxy, "why": a.why} for a in ALIASES.values()]
