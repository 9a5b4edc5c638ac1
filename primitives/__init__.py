"""The words of the language: pure torch functions in one ordered library, `WORDS`."""

from primitives import aggregations, elementwise, matrices, reductions
from primitives.kinds import CONSTANT, NET_SCALAR, Kind
from primitives.registry import WORDS, Signature, Word

__all__ = [
    "CONSTANT",
    "NET_SCALAR",
    "WORDS",
    "Kind",
    "Signature",
    "Word",
    "aggregations",
    "elementwise",
    "matrices",
    "reductions",
]
