"""Plots: complete PNG files, equal for equal data, that show the data they were given."""

import math
import struct
import subprocess
import sys
import zlib
from hashlib import sha256

import numpy as np
import pytest

from eznas.errors import InputError
from eznas.metrics import kendall
from eznas.report import bars, lines, scatter
from eznas.report.figure import save
from eznas.report.plots import bar_plot, line_plot, scatter_plot

DATASETS = ("cifar10", "cifar100", "ImageNet16-120")
NETWORKS = 40
STRANGE = "$x_1$ \N{CJK UNIFIED IDEOGRAPH-6F22}\x07\t" + "sum_layers(log(norm(gradient)), " * 9


def made_up(names):
    """Scores that follow accuracy less and less from name to name."""
    random = np.random.default_rng(0)
    accuracies = {d: random.uniform(10, 90, NETWORKS) for d in DATASETS}
    noise = random.normal(size=NETWORKS) * 20
    scores = {d: {n: a + k * noise for k, n in enumerate(names)} for d, a in accuracies.items()}
    return scores, accuracies


def row(proxy, dataset, tau, low=None, high=None):
    labels = {"networks": 500, "set": "held-out", "accuracy": "validation", "seeds": [0, 1]}
    return {
        "proxy": proxy,
        "dataset": dataset,
        "tau": tau,
        "tau_low": low,
        "tau_high": high,
    } | labels


ROWS = [row(p, d, t, t - 0.1, t + 0.2) for p, t in (("a", 0.5), ("b", -0.25)) for d in DATASETS]
X = np.linspace(0, 1, 11)
CURVES = {d: np.sin(X + k) for k, d in enumerate(DATASETS)}
SCORES, ACCURACIES = made_up(["good", "worse"])

DRAW = {
    "scatter": lambda path: scatter_plot(path, SCORES, ACCURACIES),
    "bar": lambda path: bar_plot(path, ROWS),
    "line": lambda path: line_plot(path, X, CURVES, "weight", "tau", {"published": 0.4}),
}


def pixels(path):
    """Width and height of a PNG file, every chunk of which has its check sum, to the last."""
    data = path.read_bytes()
    assert data.startswith(b"\x89PNG\r\n\x1a\n")
    start, chunks = 8, []
    while start < len(data):
        length, chunk = struct.unpack(">I4s", data[start : start + 8])
        end = start + 8 + length
        assert struct.unpack(">I", data[end : end + 4])[0] == zlib.crc32(data[start + 4 : end])
        chunks.append(chunk)
        start = end + 4
    assert chunks[0] == b"IHDR"
    assert chunks[-1] == b"IEND"
    assert not {b"tIME", b"tEXt", b"iTXt", b"zTXt"} & set(chunks), "no date, no version"
    width, height = struct.unpack(">II", data[16:24])
    assert 500 <= width <= 4000
    assert 200 <= height <= 4000
    assert len(data) < 2_000_000
    return width, height


@pytest.fixture
def figure(monkeypatch):
    """The figure that was saved last."""
    figures = []

    def save_and_keep(path, figure):
        figures.append(figure)
        save(path, figure)

    for module in (bars, lines, scatter):
        monkeypatch.setattr(module, "save", save_and_keep)
    return lambda: figures[-1]


def texts(figure):
    from matplotlib.text import Text

    return [t.get_text() for t in figure.findobj(Text) if t.get_text()]


@pytest.mark.parametrize("plot", DRAW)
def test_a_plot_is_a_complete_png_file_and_equal_for_equal_input(plot, tmp_path):
    DRAW[plot](tmp_path / "first.png")
    DRAW[plot](tmp_path / "second.PNG")
    pixels(tmp_path / "first.png")
    assert (tmp_path / "first.png").read_bytes() == (tmp_path / "second.PNG").read_bytes()
    assert len(list(tmp_path.iterdir())) == 2


def test_another_process_draws_the_same_without_pyplot_and_imports_fast(tmp_path):
    source = """
import sys
from pathlib import Path
import eznas, eznas.report.plots as plots
assert "matplotlib" not in sys.modules
x = [0, 1, 2]
plots.line_plot(Path(sys.argv[1]), x, {"a": [1, 2, 1], "b": [2, 1, 3]}, "x", "y", {"m": 1})
assert "matplotlib.pyplot" not in sys.modules
"""
    theirs, ours = tmp_path / "theirs.png", tmp_path / "ours.png"
    command = [sys.executable, "-c", source, str(theirs)]
    process = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert (process.returncode, process.stdout) == (0, ""), process.stderr
    line_plot(ours, [0, 1, 2], {"a": [1, 2, 1], "b": [2, 1, 3]}, "x", "y", {"m": 1})
    assert sha256(theirs.read_bytes()).digest() == sha256(ours.read_bytes()).digest()


@pytest.mark.parametrize("plot", DRAW)
@pytest.mark.parametrize("name", ["plot.pdf", "plot", "png"])
def test_another_ending_is_refused(plot, name, tmp_path):
    with pytest.raises(InputError, match=f"{name}: .*ends in .png") as caught:
        DRAW[plot](tmp_path / name)
    assert "\n" not in str(caught.value)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("plot", DRAW)
def test_an_unwritable_path_is_named(plot, tmp_path):
    path = tmp_path / "absent" / "plot.png"
    with pytest.raises(InputError, match=r"plot\.png: cannot write: No such file") as caught:
        DRAW[plot](path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)
    assert not list(tmp_path.iterdir())


def test_no_partial_file_remains(tmp_path, monkeypatch):
    path = tmp_path / "plot.png"
    path.mkdir()  # a file can be written beside it, but not replace it
    with pytest.raises(InputError, match=r"plot\.png: cannot write"):
        DRAW["line"](path)
    assert [p.name for p in tmp_path.iterdir()] == ["plot.png"]
    path.rmdir()
    path.write_text("old")

    def disk_full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.replace", disk_full)
    with pytest.raises(InputError, match=r"plot\.png: cannot write: No space left"):
        DRAW["line"](path)
    assert path.read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["plot.png"]


def test_scatter_has_a_panel_per_proxy_and_data_set_with_its_tau(tmp_path, figure):
    scatter_plot(tmp_path / "plot.png", SCORES, ACCURACIES)
    titles = [axes.get_title() for axes in figure().axes]
    expected = [
        f"{proxy}\n{dataset}: tau {kendall(SCORES[dataset][proxy], ACCURACIES[dataset]):+.3f}"
        for proxy in ("good", "worse")
        for dataset in DATASETS
    ]
    assert titles == expected
    for axes in figure().axes:
        assert axes.get_xscale() == "linear"
        assert len(axes.lines[0].get_xdata()) == NETWORKS


def test_scatter_shows_the_first_six_and_says_so(tmp_path, figure):
    names = [f"p{k}" for k in range(8)]
    scores, accuracies = made_up(names)
    shuffled = {d: {n: s[n] for n in (*names[4:], *names[:4])} for d, s in scores.items()}
    scatter_plot(tmp_path / "plot.png", shuffled, accuracies)
    pixels(tmp_path / "plot.png")
    assert "6 of 8 proxies: those of the highest mean tau" in texts(figure())
    shown = [axes.get_title().split("\n")[0] for axes in figure().axes]
    assert shown == [name for name in names[:6] for _ in DATASETS]


def test_scatter_counts_the_networks_that_it_cannot_show(tmp_path, figure):
    accuracy = np.arange(8.0)
    lowest = np.array([-np.inf, -np.inf, 3, 2, 4, 5, 6, 7])
    undefined = np.array([-np.inf, np.nan, np.inf, 2, 4, 5, 6, 7])
    scores = {"d": {"lowest": lowest, "undefined": undefined, "none": np.full(8, np.nan)}}
    scatter_plot(tmp_path / "plot.png", scores, {"d": accuracy})
    second, first, third = figure().axes
    assert first.get_title() == f"lowest\nd: tau {kendall(lowest, accuracy):+.3f}"
    assert [t.get_text() for t in first.texts] == ["not shown: 2 lowest (-inf)"]
    assert first.lines[0].get_xdata().tolist() == lowest[2:].tolist()
    tau = kendall(np.delete(undefined, [1, 2]), np.delete(accuracy, [1, 2]))
    assert second.get_title() == f"undefined\nd: tau {tau:+.3f}"
    assert [t.get_text() for t in second.texts] == ["not shown: 1 lowest (-inf), 2 undefined"]
    assert second.lines[0].get_ydata().tolist() == accuracy[3:].tolist()
    assert [t.get_text() for t in third.texts] == ["nothing to show", "not shown: 8 undefined"]
    assert first.yaxis.get_tick_params()["labelleft"]


@pytest.mark.parametrize(
    ("scores", "scale", "label"),
    [
        (10 ** np.linspace(-3, 9, NETWORKS), "symlog", "score"),
        (-(10 ** np.linspace(-3, 9, NETWORKS)), "symlog", "score"),
        (np.sinh(np.linspace(-20, 20, NETWORKS)), "symlog", "score"),
        (np.r_[np.linspace(-1, 1, NETWORKS - 1), 1e9], "symlog", "score"),
        (10 ** np.linspace(-300, 99, NETWORKS), "symlog", "score"),
        (np.linspace(-1e-5, 1, NETWORKS), "linear", "score"),
        (np.linspace(4e4, 2e6, NETWORKS), "linear", "score"),
        (np.zeros(NETWORKS), "linear", "score"),
        (np.full(NETWORKS, 1e99), "linear", "score"),
        (1e9 + 1e-6 * np.arange(NETWORKS), "linear", "score"),
        (1e307 * np.linspace(-9, 9, NETWORKS), "linear", "rank of score"),
        (1e-310 * np.linspace(0, 1, NETWORKS), "linear", "rank of score"),
    ],
)
def test_scatter_axes_suit_the_spread(scores, scale, label, tmp_path, figure):
    scatter_plot(tmp_path / "plot.png", {"d": {"p": scores}}, {"d": np.arange(NETWORKS)})
    [axes] = figure().axes
    assert (axes.get_xscale(), axes.get_xlabel()) == (scale, label)
    low, high = axes.get_xlim()
    assert all(low <= x <= high for x in axes.lines[0].get_xdata())
    assert sum(low <= tick <= high for tick in axes.get_xticks()) >= 2 or scores.std() == 0


def test_scatter_of_a_proxy_that_a_data_set_lacks_and_of_nothing(tmp_path, figure):
    scores = {"a": {"p": [1, 2, 3]}, "b": {}}
    scatter_plot(tmp_path / "plot.png", scores, {"a": [1, 2, 3], "b": []})
    assert [axes.get_title() for axes in figure().axes] == [
        "p\na: tau +1.000",
        "p\nb: tau undefined",
    ]
    for empty in ({}, {"a": {}}, {"a": {"p": []}}):
        scatter_plot(tmp_path / "plot.png", empty, {"a": []})
        pixels(tmp_path / "plot.png")


def test_scatter_names_the_dataset_or_proxy_that_does_not_match(tmp_path):
    path = tmp_path / "plot.png"
    with pytest.raises(InputError, match="unknown dataset 'cifar1O'; did you mean 'cifar10'"):
        scatter_plot(path, {"cifar1O": {"p": [1.0]}}, {"cifar10": [1.0]})
    with pytest.raises(InputError, match=r"p on d: shapes do not match: .*\(2,\).*\(3,\)"):
        scatter_plot(path, {"d": {"p": [1, 2]}}, {"d": [1, 2, 3]})
    assert not path.exists()


def test_bars_are_sorted_by_mean_tau_with_intervals_and_values(tmp_path, figure):
    rows = [
        *(row("low", d, -0.25, -0.5, 0.125) for d in DATASETS),
        *(row("undefined", d, None) for d in DATASETS),
        *(
            row("high", d, t, t - 0.25, 1.0)
            for d, t in zip(DATASETS, (0.5, 0.625, 0.75), strict=True)
        ),
        *(row("partly", d, t) for d, t in zip(DATASETS, (0.375, None, math.nan), strict=True)),
    ]
    bar_plot(tmp_path / "plot.png", rows)
    pixels(tmp_path / "plot.png")
    panels = figure().axes
    assert [axes.get_title() for axes in panels] == list(DATASETS)
    names = [t.get_text() for t in panels[0].get_yticklabels()]
    assert names == ["high", "partly", "low", "undefined"]
    assert panels[0].yaxis_inverted()
    values = [[t.get_text() for t in axes.texts] for axes in panels]
    assert values[0] == ["+0.500", "+0.375", "-0.250", "undefined"]
    assert values[1] == ["+0.625", "undefined", "-0.250", "undefined"]
    assert values[2] == ["+0.750", "undefined", "-0.250", "undefined"]
    assert [bar.get_width() for bar in panels[0].patches] == [0.5, 0.375, -0.25]
    spans = [lines.get_segments()[0][:, 0].tolist() for lines in panels[0].collections[::2]]
    assert spans == [[0.25, 1.0], [-0.5, 0.125]]
    low, high = panels[1].get_xlim()
    assert low < -0.5
    assert high > 1
    title = "500 networks (held-out), validation accuracy, initialisation seeds 0, 1"
    assert title in texts(figure())


@pytest.mark.parametrize(
    "rows",
    [
        [],
        [row("a", "d", None)],
        [row("a", "d", 1.0, 1.0, 1.0)],
        [row("a", "d", 0.0, None, 0.1), row("b", "e", -1e-9, -0.1, 0.1)],
        [{"proxy": "a", "dataset": "d", "tau": 0.5}],
        [row(STRANGE, STRANGE, 0.5, 0.4, 0.6) | {"set": STRANGE, "seeds": None}],
        [row(f"a_name_of_22_characters{k}"[-22:], d, k / 60) for k in range(60) for d in "de"],
    ],
)
def test_bars_of_odd_rows(rows, tmp_path):
    bar_plot(tmp_path / "plot.png", rows)
    pixels(tmp_path / "plot.png")


def test_lines_have_names_gaps_and_marks(tmp_path, figure):
    curves = {"_a": [1, 2, 3, 4], "gap": [1, np.nan, 3, np.inf], "none": [np.nan] * 4}
    marks = {"published": 0.5, "best": 0.5, "lost": np.nan, "far": 3}
    line_plot(tmp_path / "plot.png", [0.75, 0.5, 0.25, 0], curves, "weight", "tau", marks)
    pixels(tmp_path / "plot.png")
    [axes] = figure().axes
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("weight", "tau")
    legend = [t.get_text().strip() for t in figure().legends[0].get_texts()]
    assert legend == ["_a", "gap", "none: undefined", "lost: undefined"]
    a, gap, _, _, *poles = axes.lines
    assert a.get_xdata().tolist() == [0, 0.25, 0.5, 0.75]
    assert a.get_ydata().tolist() == [4, 3, 2, 1]
    np.testing.assert_equal(gap.get_ydata(), [np.nan, 3, np.nan, 1])
    looks = {(x.get_color(), x.get_linestyle(), x.get_marker()) for x in axes.lines[:3]}
    assert all(len(set(look)) == 3 for look in zip(*looks, strict=True))
    assert [pole.get_xdata()[0] for pole in poles] == [0.5, 0.5, 3]
    flags = {t.get_text().strip(): t.xyann for t in axes.texts}
    assert set(flags) == {"published", "best", "far"}
    assert flags["published"] != flags["best"]


@pytest.mark.parametrize(
    ("x", "curves", "marks"),
    [
        ([], {}, {}),
        ([], {"a": []}, {"m": 1}),
        ([1], {"a": [1]}, {"m": 1}),
        ([1, np.nan, 3], {"a": [1, 2, 3], STRANGE: [3, 2, 1]}, {STRANGE: 2}),
        ([1, 2, 3], {"a": [1e308, -1e308, 0]}, {"m": 1e308}),
        (np.arange(500), {f"c{k}": np.arange(500) + k for k in range(12)}, {}),
    ],
)
def test_lines_of_odd_data(x, curves, marks, tmp_path):
    line_plot(tmp_path / "plot.png", x, curves, STRANGE, STRANGE, marks)
    pixels(tmp_path / "plot.png")


def test_lines_name_the_curve_that_does_not_match(tmp_path):
    with pytest.raises(InputError, match=r"short: shape \(2,\), expected that of x, \(3,\)"):
        line_plot(tmp_path / "plot.png", [1, 2, 3], {"short": [1, 2]}, "x", "y")
    assert not list(tmp_path.iterdir())
