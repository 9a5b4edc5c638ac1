"""Random well-typed expressions of every type, for hypothesis."""

import itertools

from hypothesis import strategies as st

from eznas.formulas.expression import call, constant, statistic
from eznas.primitives import CONSTANT, NET_SCALAR, PRIMITIVES
from eznas.statistics.catalogue import CATALOGUE

DEPTH = 8  # levels of an expression, at most


def _reachable():
    """Every way to make a value of each type: {type: [(primitive, types of its arguments)]}."""
    types = {row.type for row in CATALOGUE.values()} | {CONSTANT}
    while True:
        ways = {}
        for primitive in PRIMITIVES.values():
            for arguments in itertools.product(sorted(types), repeat=primitive.arity):
                if result := primitive.resolve(arguments):
                    ways.setdefault(result, []).append((primitive.name, arguments))
        if types.issuperset(ways):
            return ways
        types |= set(ways)


def _least_depths():
    """The fewest levels in which a value of each type can be made."""
    depths = dict.fromkeys([CONSTANT, *(row.type for row in CATALOGUE.values())], 1)
    for _ in range(DEPTH):
        for result, ways in WAYS.items():
            known = [
                max(depths[t] for t in arguments) + 1
                for _, arguments in ways
                if all(t in depths for t in arguments)
            ]
            if known:
                depths[result] = min([*known, depths.get(result, DEPTH)])
    return depths


WAYS = _reachable()
LEAST_DEPTHS = _least_depths()
NUMBERS = st.floats(allow_nan=False, allow_infinity=False) | st.sampled_from(
    [0.0, -0.0, 1e-300, 1e22, 1e16, 5e-324, 0.1, -2.0, 123456789.0]
)


@st.composite
def expressions(draw, of_type=NET_SCALAR, depth=DEPTH):
    """A well-typed expression of a type, of at most `depth` levels."""
    leaves = [n for n, row in CATALOGUE.items() if row.type == of_type]
    ways = [w for w in WAYS.get(of_type, []) if max(LEAST_DEPTHS[t] for t in w[1]) < depth]
    if of_type == CONSTANT and not (ways and draw(st.integers(0, 4)) == 0):
        return constant(draw(NUMBERS))
    if leaves and (not ways or draw(st.integers(0, 3)) == 0):
        return statistic(draw(st.sampled_from(leaves)))
    name, types = draw(st.sampled_from(ways))
    return call(name, *(draw(expressions(t, depth - 1)) for t in types))


def expressions_of_any_type():
    return st.sampled_from(sorted(WAYS)).flatmap(expressions)
