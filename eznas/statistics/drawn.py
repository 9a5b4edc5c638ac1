"""Generated images that are drawn when they are first looked at, and once for each setting."""

from functools import lru_cache

import torch

from eznas.statistics.images import Images, generated


class DrawnImages(Images):
    """A batch as `eznas.statistics.images.generated` gives it, drawn when its pixels, labels or
    fingerprint are first asked for; shape and type are known before.

    `pixels`: float32 [count, 3, size, size]; `labels`: int64 [count].
    """

    def __init__(self, count: int, size: int, seed: int) -> None:
        vars(self).update(count=count, size=size, seed=seed)

    @property
    def pixels(self) -> torch.Tensor:
        """Float32 [count, 3, size, size]."""
        return self._drawn.pixels

    @property
    def labels(self) -> torch.Tensor:
        """Int64 [count]."""
        return self._drawn.labels

    @property
    def fingerprint(self) -> str:
        """See `Images`."""
        return self._drawn.fingerprint

    @property
    def shape(self) -> tuple[int, ...]:
        """Channels, height and width of an image."""
        size: int = vars(self)["size"]
        return 3, size, size

    @property
    def dtype(self) -> torch.dtype:
        """The type of pixel values."""
        return torch.float32

    @property
    def _drawn(self) -> Images:
        setting = vars(self)
        return _generated(setting["count"], setting["size"], setting["seed"])


@lru_cache(maxsize=2)  # a batch of 64 images of 224 pixels takes 38 MB
def _generated(count: int, size: int, seed: int) -> Images:
    return generated(count, size, seed=seed)
