"""A formula in words: what each primitive gives, said of what it takes."""

from eznas.formulas.expression import Expression
from eznas.primitives import PRIMITIVES
from eznas.primitives.types import AXES

# "{0}" and "{1}" are the arguments; "{rows}" what an aggregation goes over: layers, blocks, ...
PHRASES = {
    "sum": "the sum of the entries of {0}",
    "mean": "the mean entry of {0}",
    "mean_abs": "the mean absolute entry of {0}",
    "sum_abs": "the sum of the absolute entries of {0}",
    "std": "the standard deviation of the entries of {0}",
    "norm": "the norm of {0}",
    "largest": "the largest entry of {0}",
    "smallest": "the smallest entry of {0}",
    "numel": "the number of entries of {0}",
    "entropy": "the entropy of {0}",
    "participation": "the effective number (participation ratio) of {0}",
    "pixel_mean": "the mean over positions of {0}",
    "saliency": "the products of {0} and {1}, summed over positions",
    "channel_variance": "the variance of each channel of {0}",
    "hamming": "the share of entries whose signs differ between {0} and {1}",
    "cosine": "the cosine between {0} and {1}",
    "kl": "the Kullback-Leibler divergence of {0} from {1}",
    "softmax": "the softmax of {0}",
    "normalise": "{0}, scaled to mean 0 and deviation 1,",
    "sum_layers": "the sum over {rows} of {0}",
    "sum_all_layers": "the sum over all {rows}, dead ones too, of {0}",
    "mean_layers": "the mean over {rows} of {0}",
    "mean_all_layers": "the mean over all {rows}, dead ones too, of {0}",
    "weighted_mean_layers": "the mean over {rows}, weighted by {1}, of {0}",
    "std_layers": "the standard deviation over {rows} of {0}",
    "min_layers": "the smallest among {rows} of {0}",
    "max_layers": "the largest among {rows} of {0}",
    "first_layer": "the value at the first of the {rows} of {0}",
    "last_layer": "the value at the last of the {rows} of {0}",
    "slope_layers": "the slope over the depth of {rows} of {0}",
    "step_layers": "the smallest step between successive {rows} of {0}",
    "add": "{0} plus {1}",
    "sub": "{0} minus {1}",
    "mul": "{0} times {1}",
    "div": "{0} divided by {1}",
    "min": "the smaller of {0} and {1}",
    "max": "the larger of {0} and {1}",
    "less": "1 where {0} is below {1}, else 0,",
    "greater": "1 where {0} is above {1}, else 0,",
    "equal": "1 where {0} equals {1}, else 0,",
    "neg": "the negative of {0}",
    "abs": "the absolute value of {0}",
    "log": "the log of {0}",
    "abs_log": "the absolute log of {0}",
    "log1p": "the log of 1 plus {0}",
    "exp": "the exponential of {0}",
    "square": "the square of {0}",
    "sqrt": "the square root of {0}",
    "reciprocal": "1 over {0}",
    "relu": "the positive part of {0}",
    "sign": "the sign of {0}",
    "heaviside": "1 where {0} is positive, 1/2 where it is 0, else 0,",
    "sigmoid": "the sigmoid of {0}",
    "positive": "1 where {0} is positive, else 0,",
    "negative": "1 where {0} is negative, else 0,",
    "ones": "1 for every entry of {0}",
    "zeros": "0 for every entry of {0}",
    "gram": "the inner products between images of {0}",
    "agreement": "the agreement in sign between images of {0}",
    "covariance": "the covariance between channels of {0}",
    "channel_correlation": "the correlation between channels of {0}",
    "correlation": "the correlation between rows of {0}",
    "unit_diagonal": "{0}, scaled to 1 on the diagonal,",
    "transpose": "the transpose of {0}",
    "matmul": "the matrix product of {0} and {1}",
    "trace": "the trace of {0}",
    "eigenvalues": "the eigenvalues of {0}",
    "singular_values": "the singular values of {0}",
    "logdet": "the log-determinant of {0}",
    "det": "the determinant of {0}",
    "condition": "the ratio of the largest to the smallest entry of {0}",
    "top_share": "the share of the largest in the sum of {0}",
}
_INFIX = ("add", "sub", "mul", "div")


def in_words(expression: Expression) -> str:
    """An expression in words, with the names of its statistics; constants have 4 digits."""
    return _words(expression).rstrip(",").replace(",,", ",")


def _words(node: Expression) -> str:
    if node.value is not None:
        return f"{node.value:.4g}"
    if not node.arguments:
        return node.name
    arguments = [_words(argument) for argument in node.arguments]
    for index, argument in enumerate(node.arguments):
        if argument.name in _INFIX:
            arguments[index] = f"({arguments[index]})"
    axis = node.arguments[0].type.axis
    rows = axis if axis in AXES else "layers"
    phrase = PHRASES.get(node.name)
    if phrase is None:  # a primitive of one's own
        phrase = f"{node.name} of {{0}}" + " and {1}" * (PRIMITIVES[node.name].arity > 1)
    return phrase.format(*arguments, rows=rows)
