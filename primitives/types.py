"""Kinds: what a value of the language is, and along which axis it is stacked.

| form     | shape (first axis: one of `AXES`)            |
|----------|----------------------------------------------|
| maps     | [rows, batch, channels, height, width]       |
| weights  | [rows, out, in, kernel height, kernel width] |
| samples  | [rows, batch, batch]                         |
| matrix   | [rows, m, n]                                 |
| vector   | [rows, n]                                    |
| scalar   | [rows]                                       |
"""

from dataclasses import dataclass

FORMS = ("maps", "weights", "samples", "matrix", "vector", "scalar")
AXES = ("layers", "activations", "norms", "blocks", "networks")
BATCHES = ("", "raw", "sketch")

_NAMES = {
    "maps": "Features",
    "weights": "Weights",
    "samples": "SampleMatrix",
    "matrix": "ChannelMatrix",
    "vector": "Vector",
    "scalar": "Scalar",
}
_BATCHED = ("maps", "samples")  # the forms that keep a batch axis


@dataclass(frozen=True, order=True)
class ValueType:
    """The static type of an expression: its form, its first axis, and its batch resolution.

    `batch` is "raw" or "sketch" while a batch axis remains and "" afterwards. Values of
    different axes or batches never meet in one word.
    """

    form: str
    axis: str = "layers"
    batch: str = ""

    def __post_init__(self) -> None:
        if self.form not in (*FORMS, "constant"):
            raise ValueError(f"no such form: {self.form!r}")

    def __str__(self) -> str:
        if self == CONSTANT:
            return "Constant"
        name = _NAMES[self.form]
        if self.axis == "networks":
            name = "Net" + name.replace("Sample", "").replace("Channel", "")
        own = self.axis not in ("layers", "networks")
        notes = [self.axis] * own + [self.batch] * bool(self.batch)
        return name + (f"({', '.join(notes)})" if notes else "")

    def to(self, form: str, axis: str | None = None) -> "ValueType":
        """The value_type reached by a word that leads to `form`; the batch goes with its axis."""
        batch = self.batch if form in _BATCHED else ""
        return ValueType(form, self.axis if axis is None else axis, batch)


CONSTANT = ValueType("constant", "")
NET_SCALAR = ValueType("scalar", "networks")
