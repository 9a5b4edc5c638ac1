"""Why there is no number: codes below 0 that stand in place of a coverage.

One array so tells how far an expression applied to a network and, where it could not be had at
all, what went wrong.
"""

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]

# A network cannot be measured: it is left out when formulas are judged.
OF_NETWORKS = {"forward": -1.0, "network killed": -2.0, "network hung": -3.0}
# A formula cannot be evaluated: it is undefined.
OF_FORMULAS = {"memory": -4.0, "killed": -5.0, "hung": -6.0}
_NAMES = {code: name for name, code in (OF_NETWORKS | OF_FORMULAS).items()}


def left_out(coverage: Array) -> npt.NDArray[np.bool_]:
    """Where a coverage is the code of a network that cannot be measured."""
    return np.isin(coverage, list(OF_NETWORKS.values()))


def refused(coverage: Array) -> str:
    """Why a formula cannot be evaluated, "" where it can, from the coverage of its measures."""
    codes = coverage[np.isin(coverage, list(OF_FORMULAS.values()))]
    return _NAMES[float(codes.min())] if codes.size else ""


def named(codes: Array) -> list[str]:
    """The reasons behind codes; what is no code has none."""
    return [_NAMES[float(c)] for c in codes if float(c) in _NAMES]
