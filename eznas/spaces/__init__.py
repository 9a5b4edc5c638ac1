"""Search spaces: an architecture string in, a torch module out.

A new space is one file and one line in `SPACES`.
"""

from typing import Protocol

from torch import nn

from eznas.spaces import nasbench201


class Space(Protocol):
    """What a search space offers; a module with these names is one."""

    name: str

    def build(self, architecture: str, classes: int = 10) -> nn.Module:
        """The network in torch's own initialisation: [batch, 3, height, width] to logits."""

    def canonical(self, architecture: str) -> str:
        """The one spelling of an architecture; `InputError` where the space has none such."""

    def architectures(self) -> tuple[str, ...]:
        """Every architecture, in one fixed order."""

    def live_cell(self, architecture: str) -> str:
        """The architecture less what lies on no path from input to output: the measuring key."""


SPACES: dict[str, Space] = {nasbench201.name: nasbench201}
