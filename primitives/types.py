"""Value types: what a value of the language is, and along which axis its rows are stacked.

| form     | printed as    | shape (first axis: one of `AXES`)            |
|----------|---------------|----------------------------------------------|
| maps     | Features      | [rows, batch, channels, height, width]       |
| weights  | Weights       | [rows, out, in, kernel height, kernel width] |
| samples  | SampleMatrix  | [rows, batch, batch]                         |
| matrix   | ChannelMatrix | [rows, m, n]                                 |
| vector   | Vector        | [rows, n]                                    |
| scalar   | Scalar        | [rows]                                       |
"""

from dataclasses import dataclass

FORMS = ("maps", "weights", "samples", "matrix", "vector", "scalar")
AXES = ("layers", "activations", "norms", "blocks", "networks")

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

    `form` is one of `FORMS` and `axis` one of `AXES` (or both are those of `CONSTANT`). `batch` is
    "raw" or "sketch" while a batch axis remains, and "" afterwards. One primitive never takes
    arguments of different axes or batches. Raises `ValueError` for an unknown form.
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
        axis_is_shown = self.axis not in ("layers", "networks")
        notes = [self.axis] * axis_is_shown + [self.batch] * bool(self.batch)
        return name + (f"({', '.join(notes)})" if notes else "")

    def to(self, form: str, axis: str | None = None) -> "ValueType":
        """The type that a primitive which returns `form` gives for an argument of this type.

        `axis`: the first axis of the result, by default that of the argument. The batch resolution
        is kept only by forms that have a batch axis.
        """
        batch = self.batch if form in _BATCHED else ""
        return ValueType(form, self.axis if axis is None else axis, batch)


CONSTANT = ValueType("constant", "")
NET_SCALAR = ValueType("scalar", "networks")
