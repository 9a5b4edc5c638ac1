"""Heads: small networks that predict the scores of proxies from what a latent decodes to."""

import itertools
import math
from collections.abc import Callable, Iterator, Mapping

import torch
from torch import Tensor
from torch.nn import functional

Progress = Callable[[int, int], None]  # steps done, steps in all

BATCH, WEIGHT_DECAY = 256, 0.3


class Heads:
    """MLPs from inputs [n, inputs] to columns of scores [n, columns]: the mean of `members` that
    differ in their initial weights.

    Two hidden layers, shared by all columns, as in UP-NAS; smooth, because an ascent follows their
    gradient, and without batch normalisation, whose statistics mean nothing far from the data.
    Inputs and columns are standardised inside, so that both may be on any scale.
    """

    def __init__(
        self, inputs: int, columns: int, *, hidden: int = 64, members: int = 4, seed: int = 0
    ) -> None:
        generator = torch.Generator().manual_seed(seed)
        sizes = list(itertools.pairwise([inputs, hidden, hidden, columns]))
        self._tensors = {
            f"weight{i}": torch.randn(members, a, b, generator=generator) / math.sqrt(a)
            for i, (a, b) in enumerate(sizes)
        }
        self._tensors |= {f"bias{i}": torch.zeros(members, 1, b) for i, (_, b) in enumerate(sizes)}
        self._scales = {
            "input_mean": torch.zeros(inputs),
            "input_deviation": torch.ones(inputs),
            "column_mean": torch.zeros(columns, dtype=torch.float64),
            "column_deviation": torch.ones(columns, dtype=torch.float64),
        }
        self._seed = seed

    @property
    def parameters(self) -> list[Tensor]:
        """What training changes."""
        return [*self._tensors.values()]

    def scale_to(self, inputs: Tensor, columns: Tensor) -> None:
        """Standardise by these inputs [n, inputs] and columns float64 [n, columns]."""
        for name, values in (("input", inputs), ("column", columns)):
            deviation = values.std(0, correction=0)
            self._scales[f"{name}_mean"] = values.mean(0)
            self._scales[f"{name}_deviation"] = torch.where(deviation > 0, deviation, 1.0)

    def fit(
        self,
        inputs: Tensor,
        columns: Tensor,
        *,
        steps: int,
        rate: float = 3e-3,
        progress: Progress | None = None,
    ) -> None:
        """Go on learning columns float64 [n, columns] from inputs [n, inputs]: Adam with a rate
        that falls as a cosine."""
        for tensor in self.parameters:
            tensor.requires_grad_()
        optimiser = torch.optim.AdamW(self.parameters, lr=rate, weight_decay=WEIGHT_DECAY)
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, max(steps, 1))
        for step, rows in enumerate(batches(len(inputs), steps, self._seed), 1):
            optimiser.zero_grad()
            self.loss(inputs[rows], columns[rows]).backward()  # type: ignore[no-untyped-call]
            optimiser.step()
            schedule.step()
            if progress is not None:
                progress(step, steps)
        for tensor in self.parameters:
            tensor.requires_grad_(False)
            tensor.grad = None

    def loss(self, inputs: Tensor, columns: Tensor) -> Tensor:
        """How far every member is from columns float64 [n, columns] at inputs [n, inputs], in
        deviations: a scalar, squared near 0 and linear beyond 1, so that few networks of extreme
        scores do not decide."""
        mean, deviation = self._scales["column_mean"], self._scales["column_deviation"]
        targets = ((columns - mean) / deviation).float()
        outputs = self._members(inputs)
        return functional.smooth_l1_loss(outputs, targets.expand(outputs.shape))

    def __call__(self, inputs: Tensor) -> Tensor:
        """The columns predicted at inputs [n, inputs], on their own scales: float64 [n, columns],
        with a gradient where the inputs have one."""
        standardised = self._members(inputs).mean(0).double()
        return standardised * self._scales["column_deviation"] + self._scales["column_mean"]

    def state(self) -> dict[str, Tensor]:
        """All tensors by name."""
        return {**self._tensors, **self._scales}

    @classmethod
    def from_state(cls, state: Mapping[str, Tensor]) -> "Heads":
        """The heads whose `state` this is; raises `KeyError` where a tensor is missing."""
        members, inputs, hidden = state["weight0"].shape
        heads = cls(inputs, state["weight2"].shape[2], hidden=hidden, members=members)
        for part in (heads._tensors, heads._scales):
            part.update({name: state[name].clone() for name in part})
        return heads

    def _members(self, inputs: Tensor) -> Tensor:
        """The standardised columns of each member, float32 [members, n, columns]."""
        mean, deviation = self._scales["input_mean"], self._scales["input_deviation"]
        values = ((inputs - mean) / deviation).expand(len(self._tensors["bias0"]), -1, -1)
        layers = len(self._tensors) // 2
        for i in range(layers):
            weight, bias = self._tensors[f"weight{i}"], self._tensors[f"bias{i}"]
            values = torch.baddbmm(bias, values, weight)
            if i < layers - 1:
                values = functional.silu(values)
        return values


def batches(count: int, steps: int, seed: int) -> Iterator[Tensor]:
    """The rows of each of `steps` batches, of `BATCH` rows or all, in random order: every row once
    before any comes again."""
    generator = torch.Generator().manual_seed(seed)
    done = 0
    while done < steps:
        order = torch.randperm(count, generator=generator)
        whole = max(count // BATCH, 1) * BATCH  # a remainder waits for the next order
        for rows in torch.split(order[:whole], BATCH)[: steps - done]:
            yield rows
            done += 1
