"""The functions of the formula language: pure torch functions, in order in `PRIMITIVES`."""

from eznas.primitives import aggregations, elementwise, matrices, reductions
from eznas.primitives.moments import MOMENTS
from eznas.primitives.registry import PRIMITIVES, Primitive, Signature
from eznas.primitives.types import CONSTANT, NET_SCALAR, ValueType

__all__ = [
    "CONSTANT",
    "MOMENTS",
    "NET_SCALAR",
    "PRIMITIVES",
    "Primitive",
    "Signature",
    "ValueType",
    "aggregations",
    "elementwise",
    "matrices",
    "reductions",
]
