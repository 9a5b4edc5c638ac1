"""Scores of proxies that are known from a file: `eznas predict --scores` measures nothing."""

import pytest

from tests.cli.calls import ARCHITECTURES, HEADER, answer, complaint

FITTED, PREDICTED = ARCHITECTURES[:60:3], ARCHITECTURES[1:60:3]
COMMAND = ("predict", "linear[proxies]", "fitted.csv", "predicted.txt")


@pytest.fixture(autouse=True)
def files(folder):
    rows = [f"{a},{60 + i}" for i, a in enumerate(FITTED)]
    (folder / "fitted.csv").write_text("\n".join([HEADER, *rows]))
    (folder / "predicted.txt").write_text("\n".join(PREDICTED))
    scores = [f"{a},{i}" for i, a in enumerate(ARCHITECTURES[:60])]
    (folder / "known.csv").write_text("\n".join(["architecture,cifar10_zen", *scores]))


@pytest.mark.usefixtures("unmeasured")
def test_predict_takes_known_scores():
    content = answer(*COMMAND, "--proxies", "zen", "--scores", "known.csv")
    order = [row["architecture"] for row in content["predictions"]]
    assert order == list(PREDICTED[::-1])


def test_a_file_that_cannot_be_used():
    assert "nofile.csv" in complaint(*COMMAND, "--proxies", "zen", "--scores", "nofile.csv")
