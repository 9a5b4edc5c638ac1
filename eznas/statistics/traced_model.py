"""A model under measurement: traced passes on tensors that replace the model's own."""

import math
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.autograd.graph import GradientEdge
from torch.func import functional_call

from eznas.errors import InputError
from eznas.statistics.config import MeasurementConfig
from eznas.statistics.initialisation import Parameters
from eznas.statistics.sites import Sites
from eznas.statistics.tracing import Tracer


@dataclass(frozen=True)
class TracedModel:
    """A model, the parameters and buffers that stand in for its own, and how it is measured.

    `tensors`: by the names that they have in the module; `layout`: how images lie in memory;
    `tied`: whether the module may hold one tensor under two names (looking for it costs time in
    every pass); `sites`: what the tracing pass found; `notes`: what a user should know of the
    measurement, in words; `left_out`: see `MeasuredNetwork`.
    """

    module: nn.Module
    tensors: Parameters
    config: MeasurementConfig
    layout: torch.memory_format = torch.channels_last  # faster on a CPU
    tied: bool = True
    sites: Sites = field(default_factory=Sites)
    notes: list[str] = field(default_factory=list)
    left_out: dict[str, int] = field(default_factory=dict)

    def as_input(self, images: Tensor) -> Tensor:
        """The images [batch, channels, height, width] as a detached tensor on the device and in
        the layout."""
        return images.detach().to(self.config.device).contiguous(memory_format=self.layout)

    def differentiable(self) -> "TracedModel":
        """The same model on parameters that require gradients."""
        names = [name for name, p in self.module.named_parameters() if p.is_floating_point()]
        parameters = {name: self.tensors[name].detach().requires_grad_() for name in names}
        return replace(self, tensors=self.tensors | parameters)

    def with_tensors(self, tensors: Parameters) -> "TracedModel":
        """The same model on other parameters and buffers."""
        return replace(self, tensors={n: t.to(self.config.device) for n, t in tensors.items()})

    def forward(self, image: Tensor, tracer: Tracer) -> Tensor:
        """The logits of one traced pass on `image` [batch, channels, height, width].

        A model that returns an object with an attribute `logits` has these as its logits.
        Raises `InputError` if the model's forward fails or does not give a tensor.
        """
        tensors = {name: tensor.clone() for name, tensor in self.tensors.items()}
        # `functional_call` does not restore a module that is registered under two names.
        registries = [r for module in self.module.modules() for r in _registries(module)]
        try:
            with (
                _restored(registries),
                _seeded(self.config.seed, image.device),
                tracer.following(self.module),
            ):
                logits = functional_call(
                    self.module, tensors, (image.clone(),), tie_weights=self.tied
                )
        except Exception as error:  # a user's forward may raise anything
            if error is tracer.visit_error:
                raise
            problem = f"forward failed on an input of shape {tuple(image.shape)}"
            raise self.error(f"{problem}: {_first_line(error)}") from error
        logits = getattr(logits, "logits", logits)
        if not isinstance(logits, Tensor):
            problem = f"forward gave a {type(logits).__name__}, expected a tensor of logits"
            raise self.error(problem)
        return logits

    def backward(
        self,
        objective: Tensor,
        edges: Sequence[GradientEdge | None],
        *,
        create_graph: bool = False,
        retain_graph: bool = False,
    ) -> list[Tensor | None]:
        """The gradients of an objective [] at the edges, each of the shape of its tensor; None
        where there is no path or no edge.

        Unlike `Tensor.backward`, this writes to no `.grad`. With `create_graph` the gradients can
        be differentiated again; with `retain_graph` the graph remains for another objective.
        Raises `InputError` if the model cannot be differentiated.
        """
        present = [edge for edge in edges if edge is not None]
        if not present or not objective.requires_grad:
            return [None] * len(edges)
        try:
            gradients = iter(
                torch.autograd.grad(
                    objective,
                    present,
                    retain_graph=create_graph or retain_graph,
                    create_graph=create_graph,
                    allow_unused=True,
                )
            )
        except Exception as error:
            raise self.error(f"backward failed: {_first_line(error)}") from error
        return [None if edge is None else next(gradients) for edge in edges]

    def cross_entropy(self, logits: Tensor, labels: Tensor) -> Tensor:
        """The mean cross-entropy of logits [batch, classes] and int64 labels [batch].

        Raises `InputError` if the logits have another shape or fewer classes than the labels.
        """
        classes = int(labels.max()) + 1
        if logits.dim() > 2 and logits.numel() == math.prod(logits.shape[:2]):
            logits = logits.flatten(1)  # of a convolution in place of a linear head
        if logits.dim() != 2 or logits.shape[1] < classes:
            shape = f"logits of shape {tuple(logits.shape)}"
            raise self.error(f"{shape}, but the images' labels need {classes} classes")
        return F.cross_entropy(logits, labels.to(logits.device))

    def error(self, problem: str) -> InputError:
        """An error that names the model."""
        return InputError(f"model {type(self.module).__name__}: {problem}")


def has_tied_tensors(model: nn.Module) -> bool:
    """Whether a model holds one parameter or buffer under two names."""
    named: list[tuple[str, Tensor]] = [*model.named_parameters(remove_duplicate=False)]
    named += model.named_buffers(remove_duplicate=False)
    return len({id(tensor) for _, tensor in named}) < len(named)


def _first_line(error: Exception) -> str:
    """The first line of an error's message, or its type where it has none."""
    return (str(error).strip() or type(error).__name__).splitlines()[0]


@contextmanager
def in_train_mode(model: nn.Module) -> Iterator[None]:
    """Train mode; at the end every module gets back the mode and the attributes that it had."""
    with _restored([vars(module) for module in model.modules()]):
        model.train()
        yield


@contextmanager
def in_evaluation_mode(model: nn.Module) -> Iterator[None]:
    """Evaluation mode; at the end train mode, in which all other passes run."""
    model.eval()
    try:
        yield
    finally:
        model.train()


@contextmanager
def _restored(dictionaries: Iterable[dict[str, Any]]) -> Iterator[None]:
    """At the end each dictionary gets back the items that it had."""
    saved = [(dictionary, dict(dictionary)) for dictionary in dictionaries]
    try:
        yield
    finally:
        for dictionary, items in saved:
            dictionary.clear()
            dictionary.update(items)


def _registries(module: nn.Module) -> list[dict[str, Any]]:
    """The dictionaries in which a module keeps its tensors and children; compiled modules have
    other types there, which are left out."""
    registries = (module._parameters, module._buffers, module._modules)
    return [registry for registry in registries if isinstance(registry, dict)]


@contextmanager
def _seeded(seed: int, device: torch.device) -> Iterator[None]:
    """The global random state set by the seed; at the end as it was."""
    cuda_devices = [device] if device.type == "cuda" else []
    with torch.random.fork_rng(devices=cuda_devices):
        torch.default_generator.manual_seed(seed)
        for cuda_device in cuda_devices:
            torch.cuda.default_generators[cuda_device.index].manual_seed(seed)
        yield
