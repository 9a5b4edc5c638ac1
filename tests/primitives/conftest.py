import pytest
import torch


@pytest.fixture(autouse=True, scope="module")
def one_thread():
    """One torch thread, as in the evaluation of a shard: with more, sums depend on their number."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)
