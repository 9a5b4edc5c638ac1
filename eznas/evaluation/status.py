"""Status codes: why a feature has no value on a network, beside its value and coverage."""

from enum import IntEnum

import numpy as np
import numpy.typing as npt

Statuses = npt.NDArray[np.int8]


class Status(IntEnum):
    """The status of a feature on a network; unless that is MEASURED, coverage has no meaning."""

    MEASURED = 0  # the feature was evaluated; its coverage is the share of layers it applied to
    EMPTY = 1  # the network has nothing to aggregate: its score is the lowest
    # The network cannot be measured: it is left out when formulas are compared with accuracies.
    FORWARD_FAILED = 2
    NETWORK_KILLED = 3
    NETWORK_HUNG = 4
    # The feature cannot be evaluated: a formula with it is undefined.
    OUT_OF_MEMORY = 5
    FEATURE_KILLED = 6
    FEATURE_HUNG = 7


REASONS = {  # as journals and error messages name them
    Status.FORWARD_FAILED: "forward",
    Status.NETWORK_KILLED: "network killed",
    Status.NETWORK_HUNG: "network hung",
    Status.OUT_OF_MEMORY: "memory",
    Status.FEATURE_KILLED: "killed",
    Status.FEATURE_HUNG: "hung",
}
IN_WORDS = {  # these and the reasons for undefined scores, as people read them
    "forward": "the network could not be run",
    "network killed": "the network killed the process that measured it",
    "network hung": "measuring the network took too long",
    "memory": "out of memory",
    "killed": "the formula killed the process that evaluated it",
    "hung": "evaluating the formula took too long",
    "coverage": "a part of the formula applies to too few layers",
    "infinite": "the formula's value is infinite",
    "undefined": "the formula's value is no number",
    "constant": "the formula names no statistic",
}
STATUS_OF = {reason: status for status, reason in REASONS.items()}
NETWORK_STATUSES = (Status.FORWARD_FAILED, Status.NETWORK_KILLED, Status.NETWORK_HUNG)
FEATURE_STATUSES = (Status.OUT_OF_MEMORY, Status.FEATURE_KILLED, Status.FEATURE_HUNG)
FEATURE_REASONS = tuple(REASONS[status] for status in FEATURE_STATUSES)


def unmeasurable(statuses: Statuses) -> npt.NDArray[np.bool_]:
    """Where statuses [...] say that the network cannot be measured: bool [...]."""
    return np.isin(statuses, NETWORK_STATUSES)


def feature_failure(statuses: Statuses) -> str:
    """Why a feature cannot be evaluated: the reason for the highest failure among statuses [...];
    "" where there is none."""
    failed = statuses[np.isin(statuses, FEATURE_STATUSES)]
    return REASONS[Status(failed.max())] if failed.size else ""


def failures(statuses: Statuses) -> list[str]:
    """The distinct reasons for failures, of networks and of features, among statuses [n]."""
    return [REASONS[Status(s)] for s in dict.fromkeys(statuses.tolist()) if s in REASONS]
