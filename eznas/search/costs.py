"""What architectures cost, and limits on it."""

from dataclasses import dataclass

import torch

from eznas.benchmarks.benchmark import Dataset
from eznas.errors import InputError
from eznas.spaces import Space
from eznas.statistics.cost import forward_seconds, params_and_flops


@dataclass(frozen=True)
class Cost:
    """What a network costs: parameters, multiply-adds for one image, and the seconds of a forward
    pass where it was timed."""

    params: int
    flops: int
    seconds: float | None = None


@dataclass(frozen=True)
class Limits:
    """The most that a network may cost; None: no limit.

    `params`: parameters, `flops`: multiply-adds for one image, `seconds` of a forward pass on this
    machine (a limit that lets another network through on another machine). Raises `InputError` for
    a limit that is not above 0.
    """

    params: float | None = None
    flops: float | None = None
    seconds: float | None = None

    def __post_init__(self) -> None:
        for name, limit in vars(self).items():
            if limit is not None and not limit > 0:
                raise InputError(f"limit on {name} {limit}: expected a number above 0")

    def __bool__(self) -> bool:
        return any(limit is not None for limit in vars(self).values())

    def allow(self, cost: Cost) -> bool:
        """Whether a network of this cost is within every limit."""
        return all(
            limit is None or (spent := getattr(cost, name)) is None or spent <= limit
            for name, limit in vars(self).items()
        )

    def __str__(self) -> str:
        limits = {name: limit for name, limit in vars(self).items() if limit is not None}
        return ", ".join(f"{name} at most {limit:g}" for name, limit in limits.items())


class Costs:
    """The costs of a space's architectures on images of a data set, each measured once.

    `timed`: a forward pass on `images` images is timed too; see `forward_seconds`.
    """

    def __init__(
        self, space: Space, dataset: Dataset, timed: bool = False, images: int = 1
    ) -> None:
        self._space, self._dataset = space, dataset
        self._timed, self._images = timed, images
        self._known: dict[str, Cost] = {}

    def __call__(self, architecture: str) -> Cost:
        """The cost of an architecture; raises `InputError` for one that the space has not."""
        if architecture not in self._known:
            self._known[architecture] = self._measured(architecture)
        return self._known[architecture]

    def __len__(self) -> int:
        """How many architectures were measured so far."""
        return len(self._known)

    def least(self) -> str:
        """The least of every cost among the architectures measured so far, in words."""
        costs = self._known.values()
        least = {
            name: min(spent)
            for name in ("params", "flops", "seconds")
            if (spent := [c for cost in costs if (c := getattr(cost, name)) is not None])
        }
        return "the least is " + ", ".join(f"{name} {c:.6g}" for name, c in least.items())

    def _measured(self, architecture: str) -> Cost:
        with torch.random.fork_rng(devices=[]):  # building draws parameters
            model = self._space.build(architecture, self._dataset.classes)
        side = self._dataset.input_size
        seconds = forward_seconds(model, side, self._images) if self._timed else None
        return Cost(*params_and_flops(model, side), seconds)
