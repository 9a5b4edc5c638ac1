"""Published tables that lie beside the checkout on some machines; tests skip where they do not."""

from pathlib import Path

import pytest

DATA = Path(__file__).parents[2] / "shared" / "data"


def shared(name: str) -> Path:
    """The path of a published table, which may be a folder."""
    if not (DATA / name).exists():
        pytest.skip(f"needs {name} in shared/data beside the checkout")
    return DATA / name
