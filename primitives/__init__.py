"""The words of the language: pure torch functions in one ordered library, `WORDS`."""

from eznas.primitives import aggregations, elementwise, matrices, reductions
from eznas.primitives.kinds import CONSTANT, NET_SCALAR, Kind
from eznas.primitives.registry import WORDS, Signature, Word

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
