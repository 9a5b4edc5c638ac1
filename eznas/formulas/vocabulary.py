"""The words of formulas, as people look them up."""

from eznas.errors import InputError
from eznas.primitives import PRIMITIVES
from eznas.statistics.catalogue import CATALOGUE


def words(part: str = "") -> list[dict[str, str]]:
    """Every statistic and primitive that has `part` in its name or meaning: dicts with the keys
    word, kind (statistic or primitive), type (what a statistic is, or what a primitive takes and
    gives, by form) and meaning. Raises `InputError` where there is none."""
    statistics = [
        {"word": row.name, "kind": "statistic", "type": str(row.type), "meaning": row.meaning}
        for row in CATALOGUE.values()
    ]
    primitives = [
        {
            "word": entry.name,
            "kind": "primitive",
            "type": "; ".join(map(str, entry.signatures)),
            "meaning": entry.meaning,
        }
        for entry in PRIMITIVES.values()
    ]
    wanted = part.lower()
    found = [
        row
        for row in statistics + primitives
        if wanted in row["word"].lower() or wanted in row["meaning"].lower()
    ]
    if not found:
        raise InputError(f"no statistic or primitive with {part!r} in its name or meaning")
    return found
