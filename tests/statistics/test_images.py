"""Image batches: reproducible, balanced, similar to natural images; files are checked."""

import os
import pickle
import struct
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch

from eznas.errors import InputError
from eznas.statistics.colours import MEAN, STD
from eznas.statistics.images import Images, generated, load

CIFAR = Path(__file__).parents[2].parent / "shared" / "data" / "cifar10_sample.npz"


def same(a: Images, b: Images) -> bool:
    return torch.equal(a.pixels, b.pixels) and torch.equal(a.labels, b.labels)


def beginning(batch: Images, count: int) -> Images:
    return Images(batch.pixels[:count], batch.labels[:count], "")


def autocorrelation(pixels: torch.Tensor, lag: int) -> float:
    """Correlation of grey values `lag` columns apart, after subtracting each image's mean."""
    grey = pixels.double().mean(1)
    grey = grey - grey.mean((1, 2), keepdim=True)
    return ((grey[:, :, lag:] * grey[:, :, :-lag]).mean() / (grey**2).mean()).item()


def spectral_slope(pixels: torch.Tensor) -> float:
    """Exponent of the power spectrum: about -3 for small natural images under a Hann window."""
    grey = pixels.double().mean(1)
    grey = grey - grey.mean((1, 2), keepdim=True)
    window = torch.hann_window(32, dtype=torch.float64)
    power = (torch.fft.fft2(grey * window * window[:, None]).abs() ** 2).mean(0)
    waves = torch.fft.fftfreq(32) * 32
    radius = torch.hypot(waves[:, None], waves[None, :]).round()
    frequencies = np.arange(2, 16)
    powers = [power[radius == frequency].mean().item() for frequency in frequencies]
    return float(np.polyfit(np.log(frequencies), np.log(powers), 1)[0])


def channel_correlation(pixels: torch.Tensor) -> torch.Tensor:
    return torch.corrcoef(pixels.double().transpose(0, 1).flatten(1))


def test_generated_shapes_and_types() -> None:
    batch = generated(5, size=12, classes=3)
    assert batch.pixels.shape == (5, 3, 12, 12)
    assert batch.pixels.dtype == torch.float32
    assert batch.labels.dtype == torch.int64
    assert len(batch.fingerprint) == 16


def test_generated_is_determined_by_its_seed() -> None:
    batch, same_seed, other_seed = generated(3, seed=7), generated(3, seed=7), generated(3, seed=8)
    assert same(batch, same_seed)
    assert batch.fingerprint == same_seed.fingerprint
    assert not torch.equal(batch.pixels, other_seed.pixels)
    assert batch.fingerprint != other_seed.fingerprint


def test_smaller_batch_is_the_beginning_of_a_larger_one() -> None:
    large = generated(23, seed=2)
    assert same(generated(4, seed=2), beginning(large, 4))
    assert generated(4, seed=2).fingerprint != large.fingerprint
    assert not torch.equal(large.pixels[0], large.pixels[1])


@pytest.mark.parametrize(("count", "classes"), [(7, 10), (10, 10), (23, 10), (8, 3)])
def test_generated_labels_are_balanced(count: int, classes: int) -> None:
    labels = generated(count, size=2, classes=classes).labels
    counts = torch.bincount(labels, minlength=classes)
    assert len(counts) == classes
    assert counts.max() - counts.min() <= 1


def test_generated_labels_are_permuted_by_the_seed() -> None:
    orders = {tuple(generated(10, size=2, seed=seed).labels.tolist()) for seed in range(4)}
    assert len(orders) == 4
    assert tuple(range(10)) not in orders


def test_generated_is_nearly_normalised_and_natural() -> None:
    pixels = generated(128).pixels
    assert pixels.mean((0, 2, 3)).abs().max() < 0.25
    assert (pixels.std((0, 2, 3)) - 1).abs().max() < 0.15
    assert 0.85 < autocorrelation(pixels, 1) < 0.95
    assert -3.4 < spectral_slope(pixels) < -2.6


def test_generated_is_near_cifar10() -> None:
    if not CIFAR.exists():
        pytest.skip("needs cifar10_sample.npz in shared/data beside the checkout")
    generated_pixels, cifar_pixels = generated(200).pixels, load(CIFAR, 1000).pixels
    for lag in (1, 2, 4):
        assert autocorrelation(generated_pixels, lag) == pytest.approx(
            autocorrelation(cifar_pixels, lag), abs=0.05
        )
    assert spectral_slope(generated_pixels) == pytest.approx(spectral_slope(cifar_pixels), abs=0.4)
    assert (generated_pixels.std((0, 2, 3)) / cifar_pixels.std((0, 2, 3)) - 1).abs().max() < 0.1
    assert (
        channel_correlation(generated_pixels) - channel_correlation(cifar_pixels)
    ).abs().max() < 0.06
    deviation_ratio = generated_pixels.std((2, 3)).mean() / cifar_pixels.std((2, 3)).mean()
    assert deviation_ratio == pytest.approx(1, abs=0.1)


def test_generated_shows_the_same_scene_at_every_size() -> None:
    small, large = generated(6, size=16).pixels, generated(6, size=32).resized(16).pixels
    correlation = torch.corrcoef(torch.stack([small.flatten(), large.flatten()]))
    assert correlation[0, 1] > 0.98


def test_resized_averages_areas() -> None:
    pixels = torch.arange(16.0).reshape(1, 1, 4, 4).expand(1, 3, 4, 4)
    batch = Images(pixels, torch.tensor([4]), "origin")
    small = batch.resized(2)
    assert small.pixels[0, 1].tolist() == [[2.5, 4.5], [10.5, 12.5]]
    assert small.labels.tolist() == [4]
    assert small.fingerprint not in (batch.fingerprint, batch.resized(1).fingerprint)


@pytest.mark.parametrize(
    ("options", "name"),
    [
        ({"count": 0}, "count"),
        ({"count": 1, "size": 0}, "size"),
        ({"count": 1, "classes": 0}, "classes"),
        ({"count": 1, "seed": -1}, "seed"),
    ],
)
def test_generated_rejects_numbers_below_the_minimum(options: dict[str, int], name: str) -> None:
    with pytest.raises(InputError, match=f"^{name} is "):
        generated(**options)


def grey_levels(count: int, side: int = 4) -> np.ndarray:
    """Image i has the value i in every pixel, so that a pixel identifies its image."""
    levels = np.arange(count, dtype=np.uint8)[:, None, None, None]
    return np.broadcast_to(levels, (count, side, side, 3)).copy()


def write_npz(folder: Path, images: np.ndarray, labels: np.ndarray) -> Path:
    np.savez(folder / "images.npz", images=images, labels=labels)
    return folder / "images.npz"


def levels(batch: Images) -> list[int]:
    """The images of `grey_levels` that a batch consists of."""
    return (batch.pixels[:, 0, 0, 0].double() * STD[0] + MEAN[0]).mul(255).round().int().tolist()


def test_load_normalises_with_cifars_constants(tmp_path: Path) -> None:
    images = np.zeros((1, 2, 2, 3), np.uint8)
    images[0, 0, 1] = [0, 51, 255]  # 0, 0.2, 1
    batch = load(write_npz(tmp_path, images, np.array([3])), 1, size=2)
    expected = [-0.4914 / 0.2470, (0.2 - 0.4822) / 0.2435, (1 - 0.4465) / 0.2616]
    assert batch.pixels[0, :, 0, 1].tolist() == pytest.approx(expected, rel=1e-6)
    assert batch.pixels[0, 2, 1, 1].item() == pytest.approx(-0.4465 / 0.2616, rel=1e-6)
    assert batch.labels.tolist() == [3]


def test_load_accepts_floats(tmp_path: Path) -> None:
    images, labels = grey_levels(6), np.arange(6) % 2
    integers = load(write_npz(tmp_path, images, labels), 6, size=4)
    floats = load(write_npz(tmp_path, images / 255, labels), 6, size=4)
    assert torch.allclose(integers.pixels, floats.pixels, atol=1e-6)


def test_load_balances_and_keeps_image_and_label_together(tmp_path: Path) -> None:
    labels = np.repeat([0, 1, 2], 10)
    file = write_npz(tmp_path, grey_levels(30), labels)
    batch = load(file, 11, size=4, seed=1)
    assert sorted(torch.bincount(batch.labels).tolist()) == [3, 4, 4]
    assert labels[levels(batch)].tolist() == batch.labels.tolist()
    assert len(set(levels(batch))) == 11
    assert same(load(file, 5, size=4, seed=1), beginning(batch, 5))
    assert levels(load(file, 11, size=4, seed=2)) != levels(batch)


def test_load_goes_on_when_a_class_is_used_up(tmp_path: Path) -> None:
    file = write_npz(tmp_path, grey_levels(5), np.array([0, 1, 1, 1, 1]))
    batch = load(file, 5, size=4)
    assert sorted(levels(batch)) == [0, 1, 2, 3, 4]
    assert 0 in batch.labels[:2]


def test_load_resizes_by_area(tmp_path: Path) -> None:
    images = np.zeros((1, 4, 4, 3), np.uint8)
    images[0, :2, :2, 0] = [[10, 20], [30, 40]]
    batch = load(write_npz(tmp_path, images, np.array([0])), 1, size=2)
    assert levels(batch) == [25]
    assert batch.pixels.shape == (1, 3, 2, 2)


GOOD = grey_levels(4)
NUMBERS = np.arange(4)


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"labels": NUMBERS}, "images"),
        ({"images": GOOD}, "labels"),
        ({"images": GOOD[:, :3], "labels": NUMBERS}, r"\[4, 3, 4, 3\], expected square"),
        ({"images": GOOD[..., :1], "labels": NUMBERS}, "expected square"),
        ({"images": GOOD[0], "labels": NUMBERS}, "expected square"),
        ({"images": GOOD[:0], "labels": NUMBERS[:0]}, "expected square"),
        ({"images": GOOD.astype(np.int64), "labels": NUMBERS}, "int64, expected uint8"),
        ({"images": GOOD * 1.0, "labels": NUMBERS}, "outside 0 to 1"),
        ({"images": GOOD * np.nan, "labels": NUMBERS}, "outside 0 to 1"),
        ({"images": GOOD, "labels": NUMBERS[:3]}, r"\[3\], expected \[4\]"),
        ({"images": GOOD, "labels": NUMBERS * 0.5}, "whole numbers"),
        ({"images": GOOD, "labels": NUMBERS - 1}, "whole numbers"),
        ({"images": GOOD[:3], "labels": NUMBERS[:3]}, "3 images, expected at least 4"),
        ({"images": np.array([None] * 4), "labels": NUMBERS}, "plain arrays"),
    ],
)
def test_load_rejects_bad_arrays(
    tmp_path: Path, arrays: dict[str, np.ndarray], message: str
) -> None:
    np.savez(tmp_path / "images.npz", **arrays)
    with pytest.raises(InputError, match=message) as caught:
        load(tmp_path / "images.npz", 4)
    assert str(caught.value).startswith(str(tmp_path / "images.npz"))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("content", [None, b"", b"no archive at all", b"PK\x03\x04 broken"])
def test_load_rejects_other_files(tmp_path: Path, content: bytes | None) -> None:
    file = tmp_path / "images.npz"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(InputError, match="expected"):
        load(file, 1)


def header(text: str) -> bytes:
    """The beginning of an array's file, with a header of this text."""
    line = text.encode() + b"\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(line)) + line


@pytest.mark.parametrize(
    "content",
    [
        header("{'descr': '|u1', 'fortran_order': False, 'shape': (10000000000000000,)}"),
        header("{'descr': '|u1', 'fortran_order': False, 'shape': (-1,)}"),
        header("{'descr': '|O', 'fortran_order': False, 'shape': (1,)}") + b"junk",
        header("(" * 5000),
        header("__import__('os')"),
        header("'" * 3),
        pickle.dumps([1, 2]),
    ],
)
@pytest.mark.parametrize("flag", [0, 1])  # 1: as if encrypted
def test_load_rejects_damaged_arrays(tmp_path: Path, content: bytes, flag: int) -> None:
    with zipfile.ZipFile(tmp_path / "images.npz", "w") as archive:
        archive.writestr("images.npy", content)
        archive.writestr("labels.npy", content)
    data = bytearray((tmp_path / "images.npz").read_bytes())
    data[6] |= flag
    data[data.index(b"PK\x01\x02") + 8] |= flag
    (tmp_path / "images.npz").write_bytes(data)
    with pytest.raises(InputError, match=r"images\.npz: not readable as \.npz"):
        load(tmp_path / "images.npz", 1)


def test_load_runs_no_code_from_an_array(tmp_path: Path) -> None:
    created = tmp_path / "harm"
    images = np.array([_Payload(created)], dtype=object)
    np.savez(tmp_path / "images.npz", images=images, labels=NUMBERS)
    with pytest.raises(InputError, match="plain arrays"):
        load(tmp_path / "images.npz", 1)
    assert not created.exists()


def test_load_rejects_a_lone_array(tmp_path: Path) -> None:
    np.save(tmp_path / "images.npy", GOOD)
    with pytest.raises(InputError, match="not readable"):
        load(tmp_path / "images.npy", 1)


def by_python2(data: np.ndarray, key: bytes, labels: list[int]) -> bytes:
    """The bytes that Python 2 and NumPy 1 wrote, as in the published CIFAR files."""

    def text(value: bytes) -> bytes:
        return b"U" + bytes([len(value)]) + value

    raw = data.tobytes()
    shape = b"K" + bytes([len(data)]) + b"M\x00\x0c\x86"  # (n, 3072)
    array_type = b"cnumpy\ndtype\n" + text(b"u1") + b"K\x00K\x01\x87R(K\x03" + text(b"|")
    array_type += b"NNN" + 2 * b"J\xff\xff\xff\xff" + b"K\x00tb"
    array = b"cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\x00\x85" + text(b"b")
    array += (
        b"\x87R(K\x01" + shape + array_type + b"\x89T" + struct.pack("<i", len(raw)) + raw + b"tb"
    )
    numbers = b"](" + b"".join(b"K" + bytes([n]) for n in labels) + b"e"
    return b"\x80\x02}(" + text(b"data") + array + text(key) + numbers + b"u."


def cifar_rows(start: int, count: int) -> np.ndarray:
    """Rows [count, 3072] whose red is the row's number, green 100 and blue 200."""
    red = np.arange(start, start + count, dtype=np.uint8)[:, None].repeat(1024, axis=1)
    others = [np.full((count, 1024), value, np.uint8) for value in (100, 200)]
    return np.concatenate([red, *others], axis=1)


def test_load_reads_cifar10(tmp_path: Path) -> None:
    folder = tmp_path / "cifar-10-batches-py"
    folder.mkdir()
    for i in range(5):
        content = by_python2(cifar_rows(4 * i, 4), b"labels", [i, i, i, i])
        (folder / f"data_batch_{i + 1}").write_bytes(content)
    batch = load(tmp_path, 10)
    assert torch.bincount(batch.labels).tolist() == [2] * 5
    assert [level // 4 for level in levels(batch)] == batch.labels.tolist()
    blue = batch.pixels[:, 2].double() * STD[2] + MEAN[2]
    assert torch.allclose(blue * 255, torch.full_like(blue, 200.0), atol=1e-3)
    assert same(load(folder, 10), batch)


def test_load_reads_cifar100_as_numpy2_writes_it(tmp_path: Path) -> None:
    folder = tmp_path / "cifar-100-python"
    folder.mkdir()
    content = {b"data": cifar_rows(0, 3), b"fine_labels": [99, 5, 7], b"coarse_labels": [1, 1, 1]}
    (folder / "train").write_bytes(pickle.dumps(content, protocol=4))
    batch = load(tmp_path, 3)
    assert sorted(zip(levels(batch), batch.labels.tolist(), strict=True)) == [
        (0, 99),
        (1, 5),
        (2, 7),
    ]


class _Payload:
    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.mkdir, (str(self.target),)


def test_load_runs_no_code_from_a_pickle(tmp_path: Path) -> None:
    created = tmp_path / "harm"
    (tmp_path / "train").write_bytes(pickle.dumps({b"data": _Payload(created)}))
    with pytest.raises(InputError, match=r"holds (posix|nt)\.mkdir"):
        load(tmp_path, 1)
    assert not created.exists()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({b"data": cifar_rows(0, 2)}, "fine_labels"),
        ({b"fine_labels": [1]}, "data"),
        ({b"data": cifar_rows(0, 2)[:, :9], b"fine_labels": [1, 2]}, "3072"),
        ({b"data": cifar_rows(0, 2) * 1.0, b"fine_labels": [1, 2]}, "uint8"),
        ({b"data": cifar_rows(0, 2), b"fine_labels": [1]}, r"\[1\], expected \[2\]"),
        ([1, 2], "pickled dict"),
    ],
)
def test_load_rejects_bad_cifar_files(tmp_path: Path, content: object, message: str) -> None:
    (tmp_path / "train").write_bytes(pickle.dumps(content, protocol=4))
    with pytest.raises(InputError, match=message) as caught:
        load(tmp_path, 1)
    assert "\n" not in str(caught.value)


def test_load_expects_one_image_set(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="0 image sets"):
        load(tmp_path, 1)
    (tmp_path / "train").touch()
    (tmp_path / "data_batch_1").touch()
    with pytest.raises(InputError, match="2 image sets"):
        load(tmp_path, 1)
