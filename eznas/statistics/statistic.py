"""What a statistic is: one row of the catalogue."""

from dataclasses import dataclass

from eznas.primitives import PRIMITIVES, ValueType

FIRST_DEFINITION = 2  # of statistics that have kept their values since definitions are counted

SITES = {  # site -> role and slot, as `Tracer` shows tensors
    "relu_input": ("activation", "input"),
    "relu_output": ("activation", "output"),
    "relu_change": ("activation", "output"),
    "conv_input": ("layer", "input"),
    "conv_output": ("layer", "output"),
    "weight": ("layer", "weight"),
    "weight_per_image": ("layer", "output"),  # computed from the gradient there and the input
    "bn_input": ("norm", "input"),
    "bn_output": ("norm", "output"),
    "block_output": ("block", "output"),
    "image": ("image", "input"),
    "network": ("network", ""),
}


@dataclass(frozen=True)
class Statistic:
    """One row of the catalogue.

    `type`: its type in the language; `probe`: "structure" where the traced graph is enough;
    `site`: a key of `SITES` (for sizes the statistic's own name); `source`: the paper that
    introduced it ("" for our own); `semidefinite`: whether its matrices are symmetric and positive
    semi-definite; `definition`: raised when the statistic changes its value, to a
    number above all others of the catalogue, so that stored values of it are not used.
    """

    name: str
    type: ValueType
    probe: str
    site: str
    meaning: str
    source: str = ""
    batch: str = "raw"
    gradient: bool = False
    sketch: str = ""
    semidefinite: bool = False
    definition: int = FIRST_DEFINITION

    @property
    def excitation(self) -> tuple[str, str]:
        """The pass that measures it: (probe, batch)."""
        return self.probe, self.batch

    @property
    def is_size(self) -> bool:
        """Whether it is read off the traced graph: a number that says nothing of what runs."""
        return self.site not in SITES

    @property
    def with_value(self) -> bool:
        """Whether the sketch takes both the value and its gradient."""
        return self.gradient and self.sketch in PRIMITIVES and PRIMITIVES[self.sketch].arity == 2
