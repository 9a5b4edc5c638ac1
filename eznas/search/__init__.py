"""Search methods: from architectures to better architectures.

A new method is one file, and one line in `METHODS`.
"""

from eznas.search import ageing_evolution, guided, proxy_order, random_search
from eznas.search.base import Method, MethodRow, Settings

METHODS: dict[str, MethodRow] = {
    row.name: row for row in (random_search.ROW, ageing_evolution.ROW, guided.ROW, proxy_order.ROW)
}

__all__ = ["METHODS", "Method", "MethodRow", "Settings"]
