"""Search spaces: from an architecture as text to a torch module.

A new space is one file, and one line in `SPACES`.
"""

from eznas.spaces import (
    macro,
    naap440,
    nasbench101,
    nasbench201,
    nats_size,
    nds_anynet,
    nds_cells,
    transnas,
)
from eznas.spaces.base import Presentation, Space

SPACES: dict[str, Space] = {
    space.name: space
    for space in (
        nasbench201.SPACE,
        nasbench101.SPACE,
        macro.SPACE,
        nats_size.SPACE,
        *nds_cells.SPACES,
        *nds_anynet.SPACES,
        *transnas.SPACES,
        naap440.SPACE,
    )
}

__all__ = ["SPACES", "Presentation", "Space"]
