"""Expressions built from patterns of rules, and their values on special numbers."""

import torch

from eznas.formulas.expression import call
from eznas.primitives import PRIMITIVES

SPECIAL = [0.0, -0.0, 1.0, -2.5, 1e-300, -1e300, float("inf"), -float("inf"), float("nan")]
STATISTICS = {  # one of each form
    "maps": "data_conv_output",
    "weights": "weight",
    "samples": "data_relu_agreement",
    "matrix": "data_conv_output_covariance",
    "vector": "zen_bn_input_variance",
    "scalar": "layer_params",
}
SHAPES = {  # of one row
    "maps": (2, 3, 4, 4),
    "weights": (3, 3, 2, 2),
    "samples": (5, 5),
    "matrix": (4, 4),
    "vector": (7,),
    "scalar": (),
}


def values(form, dtype):
    """Tensors of a form, nine rows: three of normal numbers, three mixed, three of special ones."""
    generator = torch.Generator().manual_seed(1)
    shape = SHAPES[form]
    normal = torch.randn(3, *shape, generator=generator, dtype=torch.float64)
    index = torch.randint(len(SPECIAL), normal.shape, generator=generator)
    special = torch.tensor(SPECIAL, dtype=torch.float64)[index]
    mixed = torch.where(normal > 1, special, normal)
    return torch.cat([normal, mixed, special]).to(dtype)


def built(pattern, variables):
    """The pattern of a rule with expressions for its variables."""
    if isinstance(pattern, str):
        return variables[pattern]
    return call(pattern[0], *(built(a, variables) for a in pattern[1:]))


def computed(expression, tensors):
    """The value of an expression; `tensors` holds the values of sub-expressions, by their text."""
    if expression.text in tensors:
        return tensors[expression.text]
    arguments = [computed(a, tensors) for a in expression.arguments]
    return PRIMITIVES[expression.name].function(*arguments)
