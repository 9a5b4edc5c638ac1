"""A model that cannot be measured: one line that names the model and says what failed."""

import warnings

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from eznas.errors import InputError
from eznas.statistics import collector
from eznas.statistics.catalogue import CATALOGUE
from eznas.statistics.measuring import measure
from eznas.statistics.statistic import Statistic
from tests.reference import NoBatchNorm, TinyResNet
from tests.statistics.measurements import ALL_ROWS, CONFIG, LABEL, rows_of


class Broken(nn.Module):
    def __init__(self, error: Exception) -> None:
        super().__init__()
        self.error, self.conv = error, nn.Conv2d(3, 4, 1)

    def forward(self, x: Tensor) -> Tensor:
        self.conv(x)
        raise self.error


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (RuntimeError("no good\nand a long trace"), "no good"),
        (KeyError("key"), "'key'"),
        (AssertionError(), "AssertionError"),
    ],
)
def test_a_forward_that_fails(error, reason) -> None:
    with pytest.raises(InputError) as caught:
        measure(Broken(error), CONFIG, ALL_ROWS)
    shape = "forward failed on an input of shape (2, 3, 8, 8)"
    assert str(caught.value) == f"model Broken: {shape}: {reason}"
    assert caught.value.__cause__ is error


def test_a_compiled_model() -> None:
    """An error, since its tensors cannot be replaced; a compiled part without tensors is fine."""
    model = TinyResNet()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of torch.jit, which is still in use
        scripted, scripted_part = (
            torch.jit.script(model),
            torch.jit.script(nn.Sequential(nn.ReLU())),
        )
    with pytest.raises(InputError, match="a scripted part keeps its parameters; score it before"):
        measure(scripted, CONFIG, ALL_ROWS)
    names = ("label_weight_grad", "fisher_deciles", "local_block_transfer")
    model = nn.Sequential(model.stem, scripted_part, model.conv2, nn.Flatten(), nn.Linear(512, 10))
    measured = measure(model, CONFIG, [CATALOGUE[name] for name in names])
    assert measured.tensors["label_weight_grad"][0].abs().max() > 0
    assert all(p.is_leaf for p in model.parameters())


def test_an_interruption_is_not_the_models_failure() -> None:
    with pytest.raises(KeyboardInterrupt):
        measure(Broken(KeyboardInterrupt()), CONFIG, ALL_ROWS)  # type: ignore[arg-type]


def test_a_model_without_layers() -> None:
    class Empty(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return F.relu(x).mean((2, 3))

    with pytest.raises(InputError) as caught:
        measure(Empty(), CONFIG, ALL_ROWS)
    problem = "its forward pass meets no convolution or linear layer"
    assert str(caught.value) == f"model Empty: {problem}"


def test_a_model_without_a_tensor_of_logits() -> None:
    class Classes(NoBatchNorm):
        def forward(self, x: Tensor):
            return (super().forward(x).argmax(1),)

    with pytest.raises(InputError) as caught:
        measure(Classes(), CONFIG, ALL_ROWS)
    assert str(caught.value) == "model Classes: forward gave a tuple, expected a tensor of logits"


def test_more_labels_than_logits() -> None:
    model = nn.Sequential(nn.Conv2d(3, 4, 8), nn.Flatten())
    measure(model, CONFIG, [r for r in ALL_ROWS if r.batch != "label"])
    labels = CONFIG.images.labels
    for name, batch_labels in (
        ("label_weight_grad", labels[:LABEL]),
        ("curvature_weight_grad", labels[:LABEL]),
        ("label2_weight_grad", labels[LABEL:]),
    ):
        with pytest.raises(InputError) as caught:
            measure(model, CONFIG, [CATALOGUE[name]])
        classes = int(batch_labels.max()) + 1
        problem = f"logits of shape ({LABEL}, 4), but the images' labels need {classes} classes"
        assert str(caught.value) == f"model Sequential: {problem}"


def test_a_backward_that_fails() -> None:
    """An operation in place overwrites what autograd saved of the one before it."""

    class Overwritten(NoBatchNorm):
        def forward(self, x: Tensor) -> Tensor:
            x = self.conv(x)
            y = torch.exp(x)
            x = y + y.mul_(2)
            return self.classifier(self.pool(x).flatten(1))

    backward_rows = [r for r in ALL_ROWS if r.gradient or r.probe in ("curvature", "fisher")]
    measure(Overwritten(), CONFIG, [r for r in ALL_ROWS if r not in backward_rows])
    for probe, batch in sorted({row.excitation for row in backward_rows}):
        with pytest.raises(InputError, match="model Overwritten: backward failed: one of the var"):
            measure(Overwritten(), CONFIG, rows_of(probe, batch))


def test_an_error_in_a_sketch_is_not_the_models_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    def condense(row: Statistic, tensors: list[Tensor]) -> Tensor:
        raise ZeroDivisionError("sketch")

    monkeypatch.setattr(collector, "condense", condense)
    for name in ("data_conv_input", "data_conv_input_grad", "noise_block_output_covariance"):
        with pytest.raises(ZeroDivisionError, match="sketch"):
            measure(TinyResNet(), CONFIG, [CATALOGUE[name]])
