import pytest
import torch


@pytest.fixture(autouse=True, scope="module")
def one_thread():
    """As in a shard: one torch thread, whose sums do not depend on how many cores are free."""
    previous = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(previous)
