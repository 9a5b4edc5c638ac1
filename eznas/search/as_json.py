"""A search as JSON, as `eznas search` prints and saves it, and back."""

from collections.abc import Mapping, Sequence
from typing import Any

from eznas.errors import InputError
from eznas.search.costs import Limits
from eznas.search.result import Query, SearchResult
from eznas.system.files import plain

COSTS = ("params", "flops", "seconds")


def described(result: SearchResult) -> dict[str, Any]:
    """A result as JSON: what was searched, the networks queried, the best of them, the mean of the
    best so far with its interval over repeats, and the front.

    `networks` has a list for each column (architecture, accuracy, and the costs that are known),
    with every network once; `queried` has the networks of each repeat in the order of its queries,
    as positions in these lists.
    """
    curve, known = result.curve(), result.best_known
    best, networks = result.best, _networks(result.repeats)
    position = {architecture: i for i, architecture in enumerate(networks)}
    return {
        **{key: getattr(result, key) for key in ("method", "space", "dataset")},
        "accuracy": result.kind,
        "seed": result.seed,
        "repeats": len(result.repeats),
        "limits": vars(result.limits),
        "within": result.within,
        "best_known": known,
        "best": {**_row(best), "regret": None if known is None else known - best.accuracy},
        "curve": {
            "queries": list(range(1, result.queries + 1)),
            **{end: plain(getattr(curve, end).tolist()) for end in ("mean", "low", "high")},
            "regret": None if known is None else (known - curve.mean).tolist(),
        },
        "front": [_row(query) for query in result.front()],
        "networks": _columns(list(networks.values())),
        "queried": [[position[q.architecture] for q in repeat] for repeat in result.repeats],
    }


def restored(content: Any) -> SearchResult:
    """The result that `described` made JSON of, without costs; `InputError` for other content."""
    try:
        networks = content["networks"]
        pairs = zip(networks["architecture"], networks["accuracy"], strict=True)
        queries = [Query(str(a), float(accuracy)) for a, accuracy in pairs]
        repeats = tuple(tuple(queries[i] for i in order) for order in content["queried"])
        if not repeats or not all(repeats):
            raise ValueError
        return SearchResult(
            method=content["method"],
            space=content["space"],
            dataset=content["dataset"],
            kind=content["accuracy"],
            seed=content["seed"],
            queries=len(content["curve"]["queries"]),
            repeats=repeats,
            limits=Limits(**content["limits"]),
            best_known=content["best_known"],
            within=content.get("within"),
        )
    except (LookupError, TypeError, ValueError):
        raise InputError("expected a search as `eznas search METHOD --save` writes it") from None


def _networks(repeats: Sequence[Sequence[Query]]) -> dict[str, Query]:
    """Every network once, as the first repeat that queried it has it: with its cost, if known."""
    networks: dict[str, Query] = {}
    for repeat in repeats:
        for query in repeat:
            networks.setdefault(query.architecture, query)
    return networks


def _columns(queries: Sequence[Query]) -> dict[str, list[Any]]:
    rows = [_row(query) for query in queries]
    columns = {key: [row[key] for row in rows] for key in rows[0]}
    return {
        key: values
        for key, values in columns.items()
        if key not in COSTS or any(value is not None for value in values)
    }


def _row(query: Query) -> Mapping[str, Any]:
    costs = vars(query.cost) if query.cost else dict.fromkeys(COSTS)
    return {"architecture": query.architecture, "accuracy": query.accuracy, **costs}
