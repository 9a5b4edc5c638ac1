"""What single calls of a pass do not show: activations that are made of several of them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from eznas.statistics.dataflow import tensors_in, with_tensors
from eznas.statistics.events import Event

Show = Callable[[str, int, str, Tensor], None]


@dataclass(frozen=True)
class HomeMade:
    """An activation of one or more calls that no function of torch computes as a whole, as in
    x * torch.sigmoid(x).

    `calls`: their numbers in the pass; `entry`: the position of its input among the tensors that
    the first of them takes; `changed`: the position of its output among those that the last one
    takes, None where that gives a new tensor; `in_place`: whether its input is changed.
    """

    calls: tuple[int, ...]
    entry: int
    changed: int | None
    in_place: bool


@dataclass(frozen=True)
class Sites:
    """What the tracing pass found, by which other passes see the same.

    `home_made`: activations that are no function of torch; `hidden`: numbers of calls of torch's
    activations that are parts of these; `products`: numbers of calls that are linear layers written
    as products; `apart`: those of torch's activations, norms and poolings that have to do with
    parameters alone, such as the standardisation of a weight; `same_weight`: for each layer the
    first live one with its weight (or the first); `reached`: whether the logits depend on the
    image; `lone_norms`: whether a batch norm sees one value of each image, so that it needs several
    images.
    """

    home_made: tuple[HomeMade, ...] = ()
    hidden: frozenset[int] = frozenset()
    products: frozenset[int] = frozenset()
    apart: frozenset[int] = frozenset()
    same_weight: tuple[int, ...] = ()
    reached: bool = True
    lone_norms: bool = False


@dataclass(eq=False)
class _Running:
    """A home-made activation whose calls are running: its event, and the tensor that they take in
    place of its input `x`."""

    activation: HomeMade
    index: int
    event: Event
    x: Tensor
    operand: Tensor


@dataclass(eq=False)
class Follower:
    """Follows the home-made activations of one pass, records their events and shows their tensors.

    The input is passed on as a view of its own, or as a copy if it is changed in place, so that the
    gradient there is the gradient through this activation alone. Within a function with a backward
    of its own neither has a gradient yet: the input is shown as it is, and the output as soon as
    it has left the function.
    """

    sites: Sites
    events: list[Event]
    show: Show
    _running: dict[int, _Running] = field(default_factory=dict)  # by the numbers of its calls
    _inside: list[tuple[int, Event, Tensor]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._starts = {a.calls[0]: a for a in self.sites.home_made}

    def enter(
        self, number: int, arguments: Sequence[Any], options: dict[str, Any]
    ) -> tuple[Sequence[Any], dict[str, Any]]:
        """The arguments with which a call is to be made."""
        if not self._starts and not self._inside:
            return arguments, options
        if self._inside and torch.is_grad_enabled():
            self._show_outputs(arguments, options)
        tensors = [*tensors_in((tuple(arguments), options))]
        activation = self._starts.get(number)
        if activation is not None and activation.entry < len(tensors):
            self._start(activation, tensors[activation.entry])
        running = self._running.get(number)
        if running is None or running.operand is running.x:
            return arguments, options
        replaced = (running.operand if tensor is running.x else tensor for tensor in tensors)
        return with_tensors((tuple(arguments), options), replaced)  # type: ignore[no-any-return]

    def leave(self, number: int, arguments: Any, result: Any) -> Any:
        """What a call with these arguments, and this result, is to give."""
        running = self._running.pop(number, None)
        if running is None or number != running.activation.calls[-1]:
            return result
        changed = running.activation.changed
        y = result if changed is None else [*tensors_in(arguments)][changed]
        if not isinstance(y, Tensor):
            return result
        event, index = running.event, running.index
        event.output_shape, event.node = tuple(y.shape), y.grad_fn
        if running.operand is running.x and running.x.requires_grad and not y.requires_grad:
            self._inside.append((index, event, y))
        else:
            self.show("activation", index, "output", y)
        if running.activation.in_place and running.operand is not running.x:
            running.x.copy_(running.operand)
            return running.x if result is running.operand else result
        return result

    def finish(self) -> None:
        """Show what has not been shown, at the end of the pass."""
        for index, event, y in self._inside:
            self._show_output(index, event, y)
        self._inside.clear()

    def _start(self, activation: HomeMade, x: Tensor) -> None:
        inside = x.requires_grad and not torch.is_grad_enabled()
        operand = x if inside else x.clone() if activation.in_place else x.view_as(x)
        index = len(self.events)
        event = Event("activation", x.grad_fn, None, tuple(x.shape), tuple(x.shape))
        self.events.append(event)
        self.show("activation", index, "input", operand)
        running = _Running(activation, index, event, x, operand)
        self._running |= dict.fromkeys(activation.calls, running)

    def _show_outputs(self, arguments: Sequence[Any], options: dict[str, Any]) -> None:
        """Show the outputs that have left their function, as they are used now."""
        used = {id(tensor) for tensor in tensors_in((tuple(arguments), options))}
        for index, event, y in [entry for entry in self._inside if id(entry[2]) in used]:
            self._show_output(index, event, y)
        self._inside = [entry for entry in self._inside if id(entry[2]) not in used]

    def _show_output(self, index: int, event: Event, y: Tensor) -> None:
        event.node = y.grad_fn
        self.show("activation", index, "output", y)
