"""Heads that run in train mode alone are counted, and named."""

import torch.nn.functional as F
from torch import Tensor, nn

from tests.hunt.networks import Small, notes, score


class SideHead(Small):
    """A head beside, in train mode, as in GoogLeNet."""

    def __init__(self) -> None:
        super().__init__(side=nn.Linear(8 * 256, 10))

    def forward(self, x: Tensor) -> Tensor:
        x = self.features(x)
        self.aside = self.side(F.avg_pool2d(x, 2).flatten(1)) if self.training else None
        return self.head(x.mean((2, 3)))


def test_the_head_is_named():
    for proxy in ("flops", "operations", "snip"):
        assert "train mode" in notes(proxy, SideHead())
        assert "side" in notes(proxy, SideHead())
    assert score("flops", SideHead()) == 811_088 + 20_480
    assert score("live_flops", SideHead()) == 811_088


def test_other_models_have_no_such_note():
    class Unused(Small):
        def forward(self, x: Tensor) -> Tensor:
            x = F.dropout(self.features(x), 0.1, self.training)
            self.body(x)
            return self.head(x.mean((2, 3)))

    assert notes("flops", Unused()) == ""
    assert notes("naswot", SideHead()) == ""


def test_a_model_that_fails_in_evaluation_mode_has_its_score():
    class TrainOnly(SideHead):
        def forward(self, x: Tensor) -> Tensor:
            if not self.training:
                raise RuntimeError("only for training")
            return super().forward(x)

    assert score("flops", TrainOnly()) == 811_088 + 20_480
