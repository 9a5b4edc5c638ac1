"""Everything that can be changed in place of what hangs on a model, to be put back.

A stranger's code may change more than parameters and buffers while it runs: lists and counters
among a module's attributes, the weight that an adapter is merged into when modes are switched, the
state of a generator that it draws from. A snapshot reaches all of it: attributes of modules and of
other objects, containers, tensors, arrays, random generators, and the variables of functions.
"""

import types
from collections import OrderedDict, deque
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from operator import is_
from typing import Any

import torch
from torch import Tensor, nn

from eznas.statistics.arrays import numpy

_Put = Callable[[], object]  # puts one thing back as it was
_PLAIN = (
    *(type(None), bool, int, float, complex, str, bytes, range, slice, type, types.ModuleType),
    *(torch.dtype, torch.device, torch.Size, torch.layout, torch.memory_format),
    *(types.BuiltinFunctionType, types.CodeType, types.GeneratorType),
    *(() if numpy is None else (numpy.generic,)),
)
_CONTAINERS = frozenset((dict, OrderedDict, list, set))
_FUNCTIONS = (types.FunctionType, types.MethodType, partial, staticmethod, classmethod, property)
_HOOKS = ("_hooks", "_hooks_with_kwargs", "_hooks_always_called")
_FUNCTION_ATTRIBUTES = ("__closure__", "__defaults__", "__kwdefaults__", "__dict__")


class Snapshot:
    """The state of a model and of all that can be reached from it, as it is now.

    `slots`: the dicts and lists that hold tensors, as (container, key, tensor); `names` of the
    parameters and buffers, by their `id`.
    """

    def __init__(self, model: nn.Module) -> None:
        self.slots: list[tuple[Any, Any, Tensor]] = []
        self._dicts: list[tuple[dict[Any, Any], dict[Any, Any]]] = []
        self._empty: list[Any] = []  # containers of modules, most of which are empty
        self._puts: list[_Put] = []
        self._registered: list[_Put] = []  # for the numbers of parameters and buffers
        named = (*model.named_parameters(), *model.named_buffers())
        self.names = {id(tensor): name for name, tensor in named}
        self._walk(model)

    def restore(self, *, exchanged: bool = False) -> None:
        """Put everything back that has changed. With `exchanged`, parameters and buffers are known
        to have been exchanged for others all the time: their numbers are not looked at."""
        for container in self._empty:
            if container:
                container.clear()
        for thing, items in self._dicts:
            _put_dict(thing, items)
        for put in self._puts:
            put()
        for put in () if exchanged else self._registered:
            put()

    def exchange(self, replacement: Callable[[Tensor], Tensor]) -> None:
        """Put the replacement of each tensor [...] in its place, until `restore`."""
        for container, key, tensor in self.slots:
            container[key] = replacement(tensor)

    def _walk(self, start: Any) -> None:
        pending, seen = [start], dict[int, Any]()
        while pending:
            thing = pending.pop()
            if id(thing) in seen or isinstance(thing, _PLAIN):
                continue
            seen[id(thing)] = thing  # a reference, so that no other thing gets this id
            pending += [held for held in self._saved(thing) if type(held) not in _PLAIN_TYPES]

    def _saved(self, thing: Any) -> Iterable[Any]:
        """Save what can change of one thing, and give the things that it holds."""
        if isinstance(thing, Tensor):
            return self._saved_tensor(thing)
        if isinstance(thing, nn.Module):
            return (*self._saved_module(thing), *_class_attributes(type(thing)))
        if isinstance(thing, dict):
            return self._saved_dict(thing)
        if isinstance(thing, list):
            self._puts.append(partial(_put_list, thing, list(thing)))
            self.slots += [(thing, i, x) for i, x in enumerate(thing) if isinstance(x, Tensor)]
            return thing
        if isinstance(thing, deque | set | bytearray):
            self._puts.append(partial(_put_items, thing, tuple(thing)))
            return tuple(thing)
        if isinstance(thing, tuple | frozenset):
            return thing
        if numpy is not None and isinstance(thing, numpy.ndarray):
            self._puts.append(partial(_put_array, thing, thing.copy()))
            return ()
        if (put := _random_state(thing)) is not None:
            self._puts.append(put)
            return ()
        return self._saved_object(thing)

    def _saved_module(self, module: nn.Module) -> Iterator[Any]:
        """What a module holds, but for functions among its hooks: what these keep is their owner's,
        who may count on it."""
        attributes = vars(module)
        self._dicts.append((attributes, dict(attributes)))
        for name, held in attributes.items():
            kind = type(held)
            if kind in _PLAIN_TYPES:
                continue
            if kind in _CONTAINERS and not held:
                self._empty.append(held)
            elif name.endswith(_HOOKS) and isinstance(held, dict):
                hooks = self._saved_dict(held)
                yield from (hook for hook in hooks if not isinstance(hook, _FUNCTIONS))
            else:
                if isinstance(held, Tensor):
                    self.slots.append((attributes, name, held))
                yield held

    def _saved_dict(self, thing: dict[Any, Any]) -> Iterable[Any]:
        self._dicts.append((thing, dict(thing)))
        self.slots += [(thing, key, x) for key, x in thing.items() if isinstance(x, Tensor)]
        return thing.values()

    def _saved_tensor(self, tensor: Tensor) -> Iterable[Any]:
        gradient = tensor.grad if tensor.is_leaf else None
        if tensor.is_leaf:
            self._puts.append(partial(_put_flags, tensor, tensor.requires_grad, gradient))
        if (content := _copy(tensor)) is not None:
            put = partial(_put_numbers, tensor, tensor.detach(), content)
            (self._registered if id(tensor) in self.names else self._puts).append(put)
        return (gradient,)

    def _saved_object(self, thing: Any) -> Iterator[Any]:
        """An object of a class that is not known here: its attributes; a function's variables."""
        if isinstance(thing, types.MethodType):
            yield from (thing.__self__, thing.__func__)
        elif isinstance(thing, types.FunctionType):
            yield from (getattr(thing, name) for name in _FUNCTION_ATTRIBUTES)
        elif isinstance(thing, partial):
            yield from (thing.func, thing.args, thing.keywords)
        elif isinstance(thing, types.CellType):
            try:
                content = thing.cell_contents
            except ValueError:  # an empty cell
                return
            self._puts.append(partial(setattr, thing, "cell_contents", content))
            yield content
        elif isinstance(getattr(thing, "__dict__", None), dict):
            yield from self._saved_dict(vars(thing))
        for name in _slot_names(type(thing)):
            if hasattr(thing, name):
                content = getattr(thing, name)
                self._puts.append(partial(_put_attribute, thing, name, content))
                yield content


def _put_flags(tensor: Tensor, requires_grad: bool, gradient: Tensor | None) -> None:
    if tensor.requires_grad != requires_grad:
        tensor.requires_grad_(requires_grad)
    if tensor.grad is not gradient:
        tensor.grad = gradient


def _put_numbers(tensor: Tensor, place: Tensor, content: Tensor) -> None:
    """`place`: a view of where the tensor's numbers were; `content`: a copy of them."""
    with torch.inference_mode(tensor.is_inference()):
        if tensor.data_ptr() != place.data_ptr() or tensor.shape != place.shape:
            tensor.data = place
        if not torch.equal(tensor, content):
            tensor.data.copy_(content)


def _copy(tensor: Tensor) -> Tensor | None:
    """A copy of a tensor's numbers; None where they cannot be copied (a tensor without data)."""
    if tensor.is_meta or tensor.layout != torch.strided or tensor.is_quantized:
        return None
    try:
        return tensor.detach().clone()
    except Exception:  # lazy parameters, and what other libraries make of a tensor
        return None


def _put_dict(thing: dict[Any, Any], items: dict[Any, Any]) -> None:
    same_values = len(thing) == len(items) and all(map(is_, thing.values(), items.values()))
    if same_values and all(map(is_, thing, items)):
        return
    thing.clear()
    for key, value in items.items():
        thing[key] = value


def _put_list(thing: list[Any], items: list[Any]) -> None:
    if len(thing) != len(items) or any(a is not b for a, b in zip(thing, items, strict=True)):
        thing[:] = items


def _put_items(thing: Any, items: tuple[Any, ...]) -> None:
    now = tuple(thing)
    if len(now) == len(items) and all(a is b for a, b in zip(now, items, strict=True)):
        return
    thing.clear()
    if isinstance(thing, set):
        thing.update(items)
    else:
        thing.extend(items)


def _put_array(thing: Any, content: Any) -> None:
    if thing.shape == content.shape and thing.flags.writeable:
        thing[...] = content


def _put_attribute(thing: Any, name: str, content: Any) -> None:
    if getattr(thing, name, None) is not content:
        object.__setattr__(thing, name, content)  # frozen dataclasses refuse `setattr`


def _random_state(thing: Any) -> _Put | None:
    """What puts a random generator back; None for anything else."""
    if isinstance(thing, torch.Generator):
        return partial(thing.set_state, thing.get_state())
    if numpy is not None and isinstance(thing, numpy.random.Generator):
        return partial(_put_attribute, thing.bit_generator, "state", thing.bit_generator.state)
    if numpy is not None and isinstance(thing, numpy.random.RandomState):
        return partial(thing.set_state, thing.get_state())
    if hasattr(thing, "getstate") and hasattr(thing, "setstate"):  # Python's
        return partial(thing.setstate, thing.getstate())
    return None


def _class_attributes(kind: type) -> Iterator[Any]:
    """What the classes of a stranger's module hold: a list there is shared by all of a class."""
    for base in kind.__mro__:
        if not base.__module__.startswith(("torch.", "builtins")):
            held = (x for name, x in vars(base).items() if not name.startswith("__"))
            yield from (x for x in held if not isinstance(x, _FUNCTIONS))


def _slot_names(kind: type) -> Iterator[str]:
    for base in kind.__mro__:
        slots = vars(base).get("__slots__", ())
        yield from (slots,) if isinstance(slots, str) else slots


_PLAIN_TYPES = frozenset(_PLAIN)
