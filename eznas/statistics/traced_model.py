"""A model under measurement: traced passes on tensors that replace the model's own."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.autograd.graph import GradientEdge

from eznas.errors import InputError
from eznas.statistics import outputs
from eznas.statistics.config import MeasurementConfig
from eznas.statistics.drawn import USUAL_CLASSES
from eznas.statistics.initialisation import Parameters
from eznas.statistics.inputs import Parts, is_real
from eznas.statistics.lending import attempt, first_line, name_of
from eznas.statistics.sites import Sites
from eznas.statistics.snapshot import Snapshot
from eznas.statistics.surroundings import default_type, seeded, without_checkpoints
from eznas.statistics.tracing import Tracer

T = TypeVar("T")
_NUMBERS = (torch.float16, torch.bfloat16, torch.float32, torch.float64)


@dataclass(frozen=True)
class TracedModel:
    """A model on loan, the parameters and buffers that stand in for its own, and how it is
    measured.

    `state`: the model's, to which every pass returns; `tensors`: by the names that they have in
    the module; `layout`: how images lie in memory; `dtype`: their type; `converted`: whether
    what the model makes or holds besides parameters and buffers gets that type as well;
    `evaluation`: passes in evaluation mode, not in train mode; `output`: which of its outputs are
    the logits; `classes`: how many the logits tell apart, and `class_axis`: where they lie, see
    `class_scores` (None: the logits do not have one row for each image); `ran`: what the tracing
    pass met, see `layers_met`, and on how many images;
    `notes`: what the user should know of the measurement, in words; `left_out`: see
    `MeasuredNetwork`; `sites`: what the tracing pass found besides.
    """

    module: nn.Module
    state: Snapshot
    tensors: Parameters
    config: MeasurementConfig
    layout: torch.memory_format = torch.channels_last  # faster on a CPU
    dtype: torch.dtype = torch.float32
    converted: bool = False
    evaluation: bool = False
    output: outputs.Path | None = None
    classes: int | None = None
    class_axis: int = 1
    ran: tuple[dict[str, Any], int] | None = None
    notes: list[str] = field(default_factory=list)
    left_out: dict[str, int] = field(default_factory=dict)
    sites: Sites = field(default_factory=Sites)

    def as_input(self, inputs: Parts, *, differentiable: bool = False) -> Parts:
        """The inputs, each part [batch, ...], as detached tensors on the device, real numbers in
        the type and in the layout; these require gradients if they are to be `differentiable`."""
        return tuple(
            self._as_input(part).requires_grad_(differentiable and is_real(part)) for part in inputs
        )

    def _as_input(self, part: Tensor) -> Tensor:
        part = part.clone() if part.is_inference() else part.detach()
        part = part.to(self.config.device, self.dtype if is_real(part) else part.dtype)
        return part.contiguous(memory_format=self.layout) if part.dim() == 4 else part

    def differentiable(self) -> "TracedModel":
        """The same model on parameters that require gradients."""
        names = [n for n, p in self.module.named_parameters() if _differentiable(p)]
        parameters = {name: self.tensors[name].detach().requires_grad_() for name in names}
        return replace(self, tensors=self.tensors | parameters)

    def with_tensors(self, tensors: Parameters) -> "TracedModel":
        """The same model on other parameters and buffers."""
        moved = {n: t.to(self.config.device) for n, t in tensors.items()}
        ordinary = {n: t.clone() if t.is_inference() else t for n, t in moved.items()}
        return replace(self, tensors=ordinary)

    def forward(self, inputs: Parts, tracer: Tracer) -> Tensor:
        """The logits of one traced pass on inputs, each part [batch, ...].

        See `run` for what is raised.
        """
        return self.run(inputs, tracer, lambda logits: logits)

    def run(self, inputs: Parts, tracer: Tracer, then: Callable[[Tensor], T]) -> T:
        """What `then` gives for the logits of one traced pass on inputs, each part [batch, ...].

        What runs of the model in `then`, as a part may that is computed anew during backward,
        meets the same tensors and modes as in the forward, and is not recorded again. Raises
        `InputError` if the model's forward fails, gives no logits, or runs other layers than the
        tracing pass met.
        """
        try:
            with seeded(self.config.seed, inputs[0].device), without_checkpoints():
                self._exchange()
                with tracer.following(self.module):
                    logits = self._logits(inputs, tracer)
                    self._check_layers(tracer, len(inputs[0]))
                    with tracer.repeating():
                        return then(logits)
        finally:
            self.state.restore(exchanged=True)

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
            raise self.error(f"backward failed: {first_line(error)}") from error
        return [None if edge is None else next(gradients) for edge in edges]

    def labels(self) -> Tensor:
        """The labels of the batch, int64 [images], for the classes of the logits."""
        return self.config.images.labels_for(self.classes or USUAL_CLASSES)

    def cross_entropy(self, logits: Tensor, labels: Tensor) -> Tensor:
        """The mean cross-entropy of logits and int64 labels [batch], over images and over the
        positions of each, which have its label: see `class_scores`.

        Raises `InputError` if the logits have fewer classes than the labels, or no row for each.
        """
        classes = int(labels.max()) + 1
        scores = outputs.class_scores(logits, len(labels), self.class_axis)
        if scores is None or scores.shape[1] < classes:
            shape = f"logits of shape {tuple(logits.shape)}"
            raise self.error(f"{shape}, but the images' labels need {classes} classes")
        labels = labels.to(logits.device).repeat_interleave(len(scores) // len(labels))
        return F.cross_entropy(scores, labels)

    def error(self, problem: str) -> InputError:
        """An error that names the model."""
        return InputError(f"model {name_of(self.module)}: {problem}")

    def _output_path(self, result: Any, images: int, tracer: Tracer) -> outputs.Path:
        if self.output is not None and not (self.evaluation and isinstance(result, Tensor)):
            return self.output  # some models give a tensor in evaluation mode alone
        return outputs.choose(result, images, tracer)

    def _logits(self, inputs: Parts, tracer: Tracer) -> Tensor:
        form = self.config.images.form
        try:
            with default_type(self.dtype if self.converted else torch.get_default_dtype()):
                result = form.call(self.module, [part.clone() for part in inputs])
        except (Exception, SystemExit) as error:  # a user's forward may raise anything
            if error is tracer.visit_error:
                raise
            shapes = " and ".join(str(tuple(part.shape)) for part in inputs)
            problem = f"forward failed on an input of shape {shapes}"
            raise self.error(f"{problem}: {first_line(error)}{self._advice()}") from error
        try:
            tracer.output = self._output_path(result, len(inputs[0]), tracer)
            return outputs.at(result, tracer.output)
        except InputError as error:
            raise self.error(str(error)) from error.__cause__

    def _check_layers(self, tracer: Tracer, images: int) -> None:
        """`InputError` unless the pass met what the tracing pass met: values of different layers
        would be taken for one another."""
        if self.ran is None or self.evaluation:
            return
        expected, traced_images = self.ran
        met = layers_met(tracer)
        if any(met[role] != expected[role] for role in met):
            counts = [len(layers["layer"]) for layers in (expected, met)]
            passes = f"{counts[0]} on {traced_images} images, {counts[1]} on {images}"
            problem = "which layers or activations run depends on the batch, its images or chance"
            raise self.error(f"{problem} (layers: {passes}), so that passes cannot be compared")

    def _exchange(self) -> None:
        """Put copies of the tensors into the module. For a pass in evaluation mode that is entered
        on parameters first, which it may change, and copies of these are used."""
        names = self.state.names.items()
        stand_ins = {i: self.tensors[n].clone() for i, n in names if n in self.tensors}
        if not self.evaluation:
            self.state.exchange(lambda t: stand_ins.get(id(t), self._plain(t)))
            return
        for _, parameter in self.module.named_parameters():  # which `eval` may expect
            stand_in = stand_ins.get(id(parameter), parameter).detach()
            wants = parameter.requires_grad and _differentiable(parameter)
            stand_ins[id(parameter)] = nn.Parameter(stand_in, requires_grad=wants)
        self.state.exchange(lambda t: stand_ins.get(id(t), self._plain(t)))
        attempt(self.module, "eval() failed", self.module.eval)
        copies: dict[int, Tensor] = {}
        for module in self.module.modules():
            for name, tensor in module._parameters.items():
                if tensor is not None:
                    leaf = tensor.detach().requires_grad_(_differentiable(tensor))
                    module._parameters[name] = copies.setdefault(id(tensor), leaf.clone())  # type: ignore[assignment]

    def _plain(self, tensor: Tensor) -> Tensor:
        """What stands for a tensor that is no parameter and no buffer, such as a fixed kernel."""
        plain = tensor.clone() if tensor.is_inference() else tensor
        if plain.device.type != torch.device(self.config.device).type and not plain.is_meta:
            plain = plain.to(self.config.device)
        return in_precision(plain, self.dtype) if self.converted else plain

    def _advice(self) -> str:
        half = self.dtype in (torch.float16, torch.bfloat16)
        return f" (in {type_name(self.dtype)}; float32 may do: model.float())" if half else ""


def layers_met(tracer: Tracer) -> dict[str, Any]:
    """What a pass met: the shapes of its layers' weights, and the numbers of activations and (but
    for a pass without norms) of norms."""
    events = tracer.events
    shapes = tuple(tuple(e.weight.shape) for e in events["layer"] if e.weight is not None)
    met: dict[str, Any] = {"layer": shapes, "activation": len(events["activation"])}
    return met if tracer.flow else met | {"norm": len(events["norm"])}


def input_types(model: nn.Module, first: torch.dtype | None = None) -> list[torch.dtype]:
    """The types that real numbers of a model's input may have, the likelier first: one that is
    asked for; that of the model's first parameter; where this is complex, real numbers of its
    precision, then complex ones."""
    kinds = (p.dtype for p in model.parameters() if _differentiable(p))
    dtype = next(kinds, torch.float32)
    real = dtype.to_real() if dtype.is_complex else dtype
    types = [torch.float32] if real not in _NUMBERS else [real, dtype]
    return list(dict.fromkeys(types if first is None else [first, *types]))


def in_precision(tensor: Tensor, dtype: torch.dtype) -> Tensor:
    """A tensor [...] of numbers, real or complex, in the precision of a real type; others as they
    are."""
    if tensor.is_complex():
        return tensor.to(dtype.to_complex())
    return tensor.to(dtype) if tensor.is_floating_point() else tensor


def type_name(dtype: torch.dtype) -> str:
    """The name of a type, as in float32."""
    return str(dtype).removeprefix("torch.")


def _differentiable(tensor: Tensor) -> bool:
    return tensor.is_floating_point() or tensor.is_complex()
