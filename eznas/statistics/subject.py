"""A model under measurement: traced passes on tensors that are not its own."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.autograd.graph import GradientEdge
from torch.func import functional_call

from eznas.errors import InputError
from eznas.statistics.config import MeasurementConfig
from eznas.statistics.initialisation import Parameters
from eznas.statistics.tracing import Tracer


@dataclass(frozen=True)
class Subject:
    """A model, the tensors that it runs on, and how its input lies in memory.

    `tied`: whether it may hold a tensor under two names, for which every pass has to look.
    """

    model: nn.Module
    table: Parameters
    conditions: MeasurementConfig
    layout: torch.memory_format = torch.channels_last  # faster on a CPU
    tied: bool = True

    def laid_out(self, images: Tensor) -> Tensor:
        """The images, on the device and in the layout, as a tensor of their own."""
        return images.detach().to(self.conditions.device).contiguous(memory_format=self.layout)

    def differentiable(self) -> "Subject":
        """The same with parameters that take gradients."""
        own = (name for name, p in self.model.named_parameters() if p.is_floating_point())
        grown = {name: self.table[name].detach().requires_grad_() for name in own}
        return replace(self, table=self.table | grown)

    def with_table(self, table: Parameters) -> "Subject":
        """The same on other tensors."""
        return replace(self, table={n: t.to(self.conditions.device) for n, t in table.items()})

    def forward(self, image: Tensor, tracer: Tracer) -> Tensor:
        """The logits of one traced pass; `InputError` where the model's forward fails."""
        table = {name: tensor.clone() for name, tensor in self.table.items()}
        # `functional_call` does not put back those of a module that is registered under two names.
        own = [held for module in self.model.modules() for held in _tables(module)]
        try:
            with (
                _unchanged(own),
                _seeded(self.conditions.seed, image.device),
                tracer.following(self.model),
            ):
                logits = functional_call(self.model, table, (image.clone(),), tie_weights=self.tied)
        except Exception as error:  # a stranger's forward may raise anything
            if error is tracer.fault:
                raise
            where = f"forward failed on an input of shape {tuple(image.shape)}"
            raise self.error(f"{where}: {_reason(error)}") from error
        logits = getattr(logits, "logits", logits)
        if not isinstance(logits, Tensor):
            value_type = type(logits).__name__
            raise self.error(f"forward gave a {value_type}, expected a tensor of logits")
        return logits

    def backward(
        self,
        objective: Tensor,
        at: list[GradientEdge | None],
        *,
        again: bool = False,
        retain: bool = False,
    ) -> list[Tensor | None]:
        """Gradients where there is a path; unlike `Tensor.backward`, this leaves no trace.

        With `again` they can be differentiated once more; with `retain` the graph stays for
        another objective.
        """
        needed = [edge for edge in at if edge is not None]
        if not needed or not objective.requires_grad:
            return [None] * len(at)
        try:
            found = iter(
                torch.autograd.grad(
                    objective,
                    needed,
                    retain_graph=again or retain,
                    create_graph=again,
                    allow_unused=True,
                )
            )
        except Exception as error:
            raise self.error(f"backward failed: {_reason(error)}") from error
        return [None if edge is None else next(found) for edge in at]

    def cross_entropy(self, logits: Tensor, labels: Tensor) -> Tensor:
        """The mean cross-entropy; `InputError` where the logits do not fit the labels."""
        classes = int(labels.max()) + 1
        if logits.dim() != 2 or logits.shape[1] < classes:
            found = f"logits of shape {tuple(logits.shape)}"
            raise self.error(f"{found}, but the images' labels need {classes} classes")
        return F.cross_entropy(logits, labels.to(logits.device))

    def error(self, problem: str) -> InputError:
        """An error that names the model."""
        return InputError(f"model {type(self.model).__name__}: {problem}")


def ties(model: nn.Module) -> bool:
    """Whether a model holds a parameter or buffer under two names."""
    own: list[tuple[str, Tensor]] = [*model.named_parameters(remove_duplicate=False)]
    own += model.named_buffers(remove_duplicate=False)
    return len({id(tensor) for _, tensor in own}) < len(own)


def _reason(error: Exception) -> str:
    """The first line of what an error says."""
    return (str(error).strip() or type(error).__name__).splitlines()[0]


@contextmanager
def as_found(model: nn.Module) -> Iterator[None]:
    """Train mode; afterwards every module has the mode and the attributes that it had."""
    with _unchanged([vars(module) for module in model.modules()]):
        model.train()
        yield


@contextmanager
def evaluating(model: nn.Module) -> Iterator[None]:
    """Evaluation mode inside, train mode afterwards."""
    model.eval()
    try:
        yield
    finally:
        model.train()


@contextmanager
def _unchanged(tables: Iterable[dict[str, Any]]) -> Iterator[None]:
    """Afterwards each dictionary holds what it held."""
    found = [(table, dict(table)) for table in tables]
    try:
        yield
    finally:
        for table, content in found:
            table.clear()
            table.update(content)


def _tables(module: nn.Module) -> list[dict[str, Any]]:
    """Where a module keeps tensors and parts by name; a compiled one keeps them elsewhere."""
    own = (module._parameters, module._buffers, module._modules)
    return [table for table in own if isinstance(table, dict)]


@contextmanager
def _seeded(seed: int, device: torch.device) -> Iterator[None]:
    """The global random state as the seed sets it; afterwards as it was."""
    cuda = [device] if device.type == "cuda" else []
    with torch.random.fork_rng(devices=cuda):
        torch.default_generator.manual_seed(seed)
        for each in cuda:
            torch.cuda.default_generators[each.index].manual_seed(seed)
        yield
