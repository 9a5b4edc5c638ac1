"""Search spaces: an architecture as text in, a torch module out.

A new space is one file and one line in `SPACES`.
"""

from eznas.spaces import macro, nasbench101, nasbench201
from eznas.spaces.base import Space

SPACES: dict[str, Space] = {
    space.name: space for space in (nasbench201.SPACE, nasbench101.SPACE, macro.SPACE)
}

__all__ = ["SPACES", "Space"]
