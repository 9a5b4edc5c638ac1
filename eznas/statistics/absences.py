"""Why a statistic is absent in a network, in words."""

from collections.abc import Iterable

from eznas.statistics.measuring import MeasuredNetwork
from eznas.statistics.statistic import SITES, Statistic

_BLIND = (
    "no gradient leads from the logits to the image: a part of the forward runs without gradients "
    "(torch.no_grad, detach, quantised layers); which layers matter cannot be seen"
)
_NO_GRADIENT = (
    "no gradient reaches {places}: a part of the forward does not pass gradients on (quantised "
    "layers, say)"
)
_NO_ROWS = {
    "activations": "no activation was seen: no elementwise nonlinear function between two layers",
    "norms": "no batch norm was seen",
    "blocks": "no block was seen: no part of the model with maps as input and output",
}
_FOLDED = (
    "{name} compares images, but images are not the first axis of what it reads (windows or tokens "
    "are folded into it)"
)


def why_absent(network: MeasuredNetwork, rows: Iterable[Statistic]) -> list[str]:
    """For each of the statistics that was met nowhere in a network the reason, each reason once."""
    reasons: list[str] = []
    for row in rows:
        if all(tensor is None for tensor in network.tensors[row.name]):
            reasons.append(_reason(network, row))
    if network.structure.blind and any(row.type.axis != "networks" for row in rows):
        reasons.insert(0, _BLIND)
    return list(dict.fromkeys(reason for reason in reasons if reason))


def _reason(network: MeasuredNetwork, row: Statistic) -> str:
    structure, axis = network.structure, row.type.axis
    if row.name in network.absent:
        return network.absent[row.name]
    if structure.blind and (row.gradient or axis == "networks"):
        return _BLIND
    if axis in _NO_ROWS and not structure.rows[axis]:
        return _NO_ROWS[axis]
    role = SITES.get(row.site, ("", ""))[0]
    if axis == "layers" and role in ("activation", "norm") and not structure.rows[f"{role}s"]:
        return _NO_ROWS[f"{role}s"]
    if row.sketch == "codes" and not structure.rows["activations"]:
        return _NO_ROWS["activations"]
    if row.name in network.left_out:
        return _FOLDED.format(name=row.name)
    if row.probe == "fisher":
        return "the logits are not [images, classes], or no layer has one output for each image"
    if row.gradient and structure.reached:
        places = "the image" if row.site == "image" else f"any {role}"
        return _NO_GRADIENT.format(places=places)
    if axis == "layers" and role in ("activation", "norm"):
        return (
            f"no layer has {'an activation before' if role == 'activation' else 'a norm after'} it"
        )
    return ""
