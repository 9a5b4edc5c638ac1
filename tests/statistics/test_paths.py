"""Path statistics: by hand, by enumeration, and for graphs with too many paths to enumerate."""

import math
from collections.abc import Mapping, Sequence
from fractions import Fraction
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eznas.statistics.paths import Paths, paths

Graph = Mapping[int, Sequence[int]]
Values = Mapping[int, Sequence[float]]
DIAMOND = {1: [0], 2: [0], 3: [1, 2]}


def path_statistics(parents: Graph, end: int, values: Values, quantities: int = 1) -> Paths:
    result = paths(parents, 0, end, values, quantities)
    assert result is not None
    return result


def enumerated(parents: Graph, start: int, end: int) -> list[list[int]]:
    """Every path from `start` to `end` as a list of nodes."""
    without_edges = [[start]] if end == start else []
    return without_edges + [
        [*path, end] for p in parents.get(end, ()) for path in enumerated(parents, start, p)
    ]


def single(total: float) -> Paths:
    """The statistics of one path."""
    return Paths(0.0, (total,), (0.0,), (total,), (total,), (total,))


def near(value: float) -> object:
    return pytest.approx(value, rel=1e-12, abs=1e-150)  # below, squares underflow in the check


def diamonds(count: int) -> Graph:
    """Diamonds in a row: corners 0, 3, 6, ..., and two paths from each to the next."""
    graph: dict[int, list[int]] = {}
    for corner in range(0, 3 * count, 3):
        graph |= {n + corner: [p + corner for p in above] for n, above in DIAMOND.items()}
    return graph


def test_diamond() -> None:
    values = {0: [1.0, 0.0], 1: [2.0, 0.0], 2: [6.0, 3.0], 3: [10.0, -1.0]}
    assert path_statistics(DIAMOND, 3, values, 2) == Paths(
        log_count=math.log(2),
        mean=(15.0, 0.5),  # of 13 and 17; of -1 and 2
        std=(2.0, 1.5),
        smallest=(13.0, -1.0),
        largest=(17.0, 2.0),
        soft=(
            near(-math.log(math.exp(-13) + math.exp(-17))),
            near(-math.log(math.exp(1) + math.exp(-2))),
        ),
    )


def test_a_double_edge_is_two_paths() -> None:
    """0 -> 1 twice and once through 2, which has the value 3: totals 0, 0 and 3."""
    result = path_statistics({1: [0, 0, 2], 2: [0]}, 1, {2: [3.0]})
    assert result.log_count == near(math.log(3))
    assert result.mean == (1.0,)
    assert result.std == (near(math.sqrt(2)),)
    assert result.soft == (near(-math.log(2 + math.exp(-3))),)


def test_double_edges_multiply() -> None:
    assert path_statistics({1: [0, 0], 2: [1, 1, 1]}, 2, {}).log_count == near(math.log(6))


def test_a_branch_with_more_paths_weighs_more() -> None:
    """Three paths through 1, which has the value 4, and one through 2."""
    result = path_statistics({1: [0, 0, 0], 2: [0], 3: [2, 1]}, 3, {1: [4.0]})
    assert result.mean == (3.0,)
    assert result.std == (near(math.sqrt(3)),)


def test_chain() -> None:
    """Decimal fractions are rounded, and yet the standard deviation of one path is exactly 0."""
    values = (0.1, -7.3, 1e6, 0.7)
    result = path_statistics({1: [0], 2: [1], 3: [2]}, 3, {n: [v] for n, v in enumerate(values)})
    assert result == single(math.fsum(values))


def test_start_is_end() -> None:
    assert path_statistics({0: [7], 1: [0]}, 0, {0: [2.5], 7: [1.0]}) == single(2.5)
    assert path_statistics({}, 0, {}) == single(0.0)


def test_no_path() -> None:
    assert paths({1: [0], 3: [2]}, 0, 3, {}, 1) is None
    assert paths({1: [0]}, 1, 0, {}, 1) is None
    assert paths({}, 0, 1, {}, 1) is None


def test_no_quantities() -> None:
    assert path_statistics(DIAMOND, 3, {}, 0) == Paths(math.log(2), (), (), (), (), ())


def test_any_hashable_node() -> None:
    result = paths({("add", 1): ["in", "in"], None: [("add", 1)]}, "in", None, {None: [1.0]}, 1)
    assert result is not None
    assert result.mean == (1.0,)


def test_only_nodes_between_matter() -> None:
    """Cycles and bad values before the start or in dead ends are not read."""
    graph = {0: [8], 8: [9], 9: [8], **DIAMOND, 2: [0, 8], 4: [1, 3, 4]}
    bad = {8: [math.nan], 4: [1.0, 2.0]}
    assert path_statistics(graph, 3, {1: [1.0]} | bad) == path_statistics(DIAMOND, 3, {1: [1.0]})


@pytest.mark.parametrize(
    ("graph", "values"),
    [
        ({1: [0, 2], 2: [1], 3: [2]}, {}),
        ({0: [1], 1: [0], 3: [1]}, {}),
        ({3: [0, 3]}, {}),
        (DIAMOND, {1: [math.nan]}),
        (DIAMOND, {0: [math.inf]}),
        (DIAMOND, {3: [1.0, 2.0]}),
        (DIAMOND, {3: []}),
    ],
    ids=["cycle", "cycle at start", "loop", "nan", "inf", "too many", "too few"],
)
def test_errors(graph: Graph, values: Values) -> None:
    with pytest.raises(ValueError, match=r"cycle|should carry 1 finite"):
        paths(graph, 0, 3, values, 1)


def test_beyond_float64() -> None:
    with pytest.raises(OverflowError):
        paths(DIAMOND, 0, 3, {0: [1.7e308], 3: [1.7e308]}, 1)
    wide = path_statistics(DIAMOND, 3, {1: [-8e307], 2: [8e307]})
    assert (wide.mean, wide.std, wide.soft) == ((0.0,), (8e307,), (-8e307,))
    assert path_statistics(DIAMOND, 3, {1: [-5e-324], 2: [5e-324]}).std == (5e-324,)


# Names are permuted, so that they are in no topological order.
GRAPHS = st.integers(2, 10).flatmap(
    lambda nodes: st.permutations(range(nodes)).flatmap(
        lambda names: st.tuples(
            *(
                st.lists(st.sampled_from(names[:i]), max_size=3).map(lambda p, n=names[i]: (n, p))
                for i in range(1, nodes)
            )
        ).map(dict)
    )
)
VALUES = st.one_of(st.integers(-2, 2).map(float), st.floats(-30, 30), st.floats(-1e9, 1e9))
NODE_VALUES = st.dictionaries(st.integers(0, 9), st.tuples(VALUES, VALUES))


@given(GRAPHS, NODE_VALUES, st.data())
def test_agrees_with_enumeration(graph: Graph, values: Values, data: st.DataObject) -> None:
    end = data.draw(st.sampled_from(sorted(graph)), "end")
    upstream = {node for node in range(10) if enumerated(graph, node, end)}
    start = data.draw(st.sampled_from(sorted(upstream | set(graph))), "start")
    paths_listed = enumerated(graph, start, end)
    result = paths(graph, start, end, values, 2)
    if not paths_listed:
        assert result is None
        return
    assert result is not None
    assert result.log_count == near(math.log(len(paths_listed)))
    for q in range(2):
        totals = [sum(Fraction(values[n][q]) for n in path if n in values) for path in paths_listed]
        mean, smallest = Fraction(sum(totals), len(totals)), min(totals)
        variance = Fraction(sum((t - mean) ** 2 for t in totals), len(totals))
        lift = math.log(math.fsum(math.exp(smallest - t) for t in totals))
        assert result.mean[q] == near(float(mean))
        assert result.std[q] == near(math.sqrt(variance))
        assert result.smallest[q] == float(smallest)
        assert result.largest[q] == float(max(totals))
        assert result.soft[q] == pytest.approx(float(smallest) - lift, rel=1e-12, abs=1e-12)


@given(GRAPHS, NODE_VALUES, st.randoms(use_true_random=False))
def test_the_order_of_parents_does_not_matter(graph: Graph, values: Values, random: Random) -> None:
    shuffled = {
        n: random.sample(graph[n], len(graph[n])) for n in random.sample([*graph], len(graph))
    }
    for start in graph:
        for end in graph:
            result, shuffled_result = (paths(g, start, end, values, 2) for g in (graph, shuffled))
            assert result == shuffled_result  # to the last bit


def test_two_thousand_diamonds() -> None:
    """2^2000 paths; each diamond adds -1 or 3, so the total is 2000 plus 2 times 2000 signs."""
    graph = diamonds(2000)
    result = path_statistics(graph, 6000, {n: [(0.0, -1.0, 3.0)[n % 3]] for n in graph})
    assert result.log_count == near(2000 * math.log(2))
    assert result.mean == (2000.0,)
    assert result.std == (near(2 * math.sqrt(2000)),)
    assert (result.smallest, result.largest) == ((-2000.0,), (6000.0,))
    assert result.soft == (near(-2000 * math.log(math.e + math.exp(-3))),)


def test_one_path_among_many() -> None:
    """2^2000 paths of total 5 and one of total 0, which only the extremes and std show."""
    graph = {**diamonds(2000), 6001: [6000, 0]}
    result = path_statistics(graph, 6001, {6000: [5.0]})
    assert (result.mean, result.smallest, result.largest) == ((5.0,), (0.0,), (5.0,))
    assert result.std == (pytest.approx(5 * 2.0**-1000, rel=1e-12, abs=0),)


def test_variance_beside_a_large_offset() -> None:
    """The mean of squares minus the squared mean in float64 has an error of about 100 here."""
    result = path_statistics(DIAMOND, 3, {0: [1e9], 2: [1.0]})
    assert (result.mean, result.std) == ((1e9 + 0.5,), (0.5,))
    assert (result.smallest, result.largest) == ((1e9,), (1e9 + 1,))


def test_a_spread_below_the_rounding_of_the_total() -> None:
    assert path_statistics(DIAMOND, 3, {0: [1e17], 2: [1.0]}).std == (0.5,)


def test_equal_totals_have_no_deviation() -> None:
    """0.3 + 0.1 + 0.2 and 0.3 + 0.2 + 0.1 are equal, but not if summed in float64."""
    graph = {1: [0], 2: [1], 3: [0], 4: [3], 5: [2, 4]}
    values = {0: 0.3, 1: 0.1, 2: 0.2, 3: 0.2, 4: 0.1, 5: 1e9}
    assert 0.3 + 0.1 + 0.2 != 0.3 + 0.2 + 0.1
    result = path_statistics(graph, 5, {n: [v] for n, v in values.items()})
    assert result.std == (0.0,)
    assert result.mean == result.smallest == result.largest
