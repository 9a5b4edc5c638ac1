"""The page of all looks at networks that are kept for final figures: runs/LOOKS.md."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from eznas.report.study_page import correlations

_HEAD = (
    "`eznas final` looks at networks that no search has seen: of NAS-Bench-201 those on which no "
    "run is tested either, elsewhere\nthe held-out part, or all of a space that no search has "
    "used. It counts its calls in [LOOKS.jsonl](LOOKS.jsonl), formulas and all; this\npage is made "
    "from it."
)
_INTERVALS = ("tau", "rho", "partial_rho", "top10_rho")


def looks_page(looks: Sequence[Mapping[str, Any]]) -> str:
    """The page; `looks`: as `eznas.studies.final.looks` gives them, the oldest first."""
    parts = ["# Looks", _HEAD]
    for number, look in enumerate(looks, 1):
        parts += _section(number, look)
    return "\n\n".join(parts) + "\n"


def _section(number: int, look: Mapping[str, Any]) -> Iterator[str]:
    yield f"## {number}: {look['space']}, {look['networks']:,} networks"
    before = look["before"]
    earlier = f"after {before} earlier" if before else "the first"
    reason = " ".join(look["reason"].split()).rstrip(".")
    yield (
        f"{look['date'][:10]}, {earlier} of this space: {reason}. Networks: {look['set']}; "
        f"{look['accuracy']} accuracy."
    )
    yield from correlations(look["rows"], look["difference"], _INTERVALS)
