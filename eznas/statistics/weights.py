"""The weights of a traced pass: which layers share one, and which parameters no layer has."""

from collections.abc import Sequence

from torch import Tensor, nn

from eznas.statistics.dataflow import Dataflow
from eznas.statistics.events import Event

_NORMS = ("batch_norm", "layer_norm", "group_norm", "instance_norm", "rms_norm")
UNUSED = "not used"


def add_weight_keys(layers: Sequence[Event], data: Dataflow) -> None:
    """Give each layer's event the key of its weight.

    Views of one piece of memory are one weight, and so are tensors of one shape that are computed
    from the same parameters, as weight norm does anew for every use.
    """
    for index, event in enumerate(layers):
        if event.weight is None:
            continue
        value = data.value(event.weight)
        tensor, base = event.weight, _memory(event.weight)
        place: tuple[object, ...] = (tensor.storage_offset(), tensor.numel())
        if value.from_image:
            event.weight_key = index
        elif value.call is None or base in {_memory(t) for t in data.parameters.values()}:
            event.weight_key = (base, *place)
        else:
            event.weight_key = (value.parameters or index, *place, tuple(tensor.shape))


def unseen_parameters(model: nn.Module, data: Dataflow) -> dict[str, float]:
    """The shares of a model's parameters that are in no layer, norm or activation, by the name of
    what they go into, the largest first."""
    users: dict[str, str] = {}  # parameter -> name of the first call that mixes it with the image
    seen = set[str]()
    for call in data.calls:
        names = {name for v in call.inputs if not v.from_image for name in v.parameters}
        if call.role is not None or call.name in _NORMS:
            seen |= names
        elif any(value.from_image for value in call.inputs):
            for name in names:
                users.setdefault(name, call.name.strip("_"))
    sizes = {name: parameter.numel() for name, parameter in model.named_parameters()}
    same = _first_names(model)
    seen = {same[name] for name in seen}
    used = {same[name]: user for name, user in users.items()}
    shares: dict[str, float] = {}
    for name, size in sizes.items():
        if name not in seen and size:
            user = used.get(name, UNUSED)
            shares[user] = shares.get(user, 0.0) + size / sum(sizes.values())
    return dict(sorted(shares.items(), key=lambda item: -item[1]))


def note_on_unseen(shares: dict[str, float]) -> str:
    """A line on the parameters that are in no layer; "" where all are in one."""
    if not shares:
        return ""
    parts = ", ".join(f"{name} {_percent(share)}" for name, share in shares.items())
    total = _percent(sum(shares.values()))
    return f"{total} of the parameters are in no layer that is counted: {parts}"


def _percent(share: float) -> str:
    return f"{100 * share:.2g} %"


def _memory(tensor: Tensor) -> int:
    return tensor.untyped_storage().data_ptr()


def _first_names(model: nn.Module) -> dict[str, str]:
    """Of each name of a parameter the one by which `named_parameters` gives it."""
    by_id = {id(parameter): name for name, parameter in model.named_parameters()}
    named = model.named_parameters(remove_duplicate=False)
    return {name: by_id[id(parameter)] for name, parameter in named}
