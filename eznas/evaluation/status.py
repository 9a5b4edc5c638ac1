"""What became of a feature on a network: a status that stands beside its value and coverage."""

from enum import IntEnum

import numpy as np
import numpy.typing as npt

Statuses = npt.NDArray[np.int8]


class Status(IntEnum):
    """One status for each feature and network; the coverage says more only where it is MEASURED."""

    MEASURED = 0  # there is a value, or the feature did not apply: the coverage says how far
    EMPTY = 1  # the network has nothing to aggregate: the lowest score, whatever else is said
    # The network cannot be measured: it is left out when formulas are compared with accuracies.
    FORWARD_FAILED = 2
    NETWORK_KILLED = 3
    NETWORK_HUNG = 4
    # The feature cannot be evaluated: a formula with it is undefined.
    OUT_OF_MEMORY = 5
    FEATURE_KILLED = 6
    FEATURE_HUNG = 7


REASONS = {  # in words, as in a journal
    Status.FORWARD_FAILED: "forward",
    Status.NETWORK_KILLED: "network killed",
    Status.NETWORK_HUNG: "network hung",
    Status.OUT_OF_MEMORY: "memory",
    Status.FEATURE_KILLED: "killed",
    Status.FEATURE_HUNG: "hung",
}
STATUS_OF = {reason: status for status, reason in REASONS.items()}
NETWORK_STATUSES = (Status.FORWARD_FAILED, Status.NETWORK_KILLED, Status.NETWORK_HUNG)
FEATURE_STATUSES = (Status.OUT_OF_MEMORY, Status.FEATURE_KILLED, Status.FEATURE_HUNG)
FEATURE_REASONS = tuple(REASONS[status] for status in FEATURE_STATUSES)


def unmeasurable(statuses: Statuses) -> npt.NDArray[np.bool_]:
    """Where a status says that the network cannot be measured: bool, the shape of `statuses`."""
    return np.isin(statuses, NETWORK_STATUSES)


def feature_failure(statuses: Statuses) -> str:
    """Why a feature cannot be evaluated, "" where it can: the gravest of its statuses, of any
    shape, in words."""
    failures = statuses[np.isin(statuses, FEATURE_STATUSES)]
    return REASONS[Status(failures.max())] if failures.size else ""


def failures(statuses: Statuses) -> list[str]:
    """The distinct failures among statuses [n], of networks and of features, in words."""
    return [REASONS[Status(s)] for s in dict.fromkeys(statuses.tolist()) if s in REASONS]
