"""Two models and a calibration as they are shown."""

import pytest

from eznas.report.tables import (
    calibration_lines,
    reliability_table,
    two_models_lines,
    two_models_table,
)
from tests.report.test_tables import rendered

MODELS = [
    {"model": "mine:a", "scores": [1.0, 3.0], "score": 2.0, "deviation": 1.0},
    {"model": "mine:b", "scores": [4.0, 6.0], "score": 5.0, "deviation": 1.0},
]
CONTENT = {
    "proxy": "naswot",
    "models": MODELS,
    "better": "mine:b",
    "probabilities": {"cifar10": 0.875, "cifar100": 0.6},
    "reason": "",
    "calibrated": {"space": "naap440", "source": "", "networks": 99, "accuracy": "test"},
}


def test_a_known_probability():
    assert two_models_lines(CONTENT) == [
        "scores: mean and standard deviation over 2 initialisations",
        "better: the second, it scores higher by 3 deviations",
        "probability of being more accurate: 0.88 on cifar10, 0.60 on cifar100",
        "it holds for networks of naap440 (test accuracy)",
    ]
    text = rendered(two_models_table(CONTENT))
    assert [line.split() for line in text.splitlines() if "mine" in line] == [
        ["first", "mine:a", "2", "1"],
        ["second", "mine:b", "5", "1"],
    ]


def test_one_that_is_not_known():
    unknown = CONTENT | {"probabilities": {}, "reason": "why"}
    assert two_models_lines(unknown)[-1] == "probability of being more accurate: not known; why"
    alike = CONTENT | {"better": None}
    assert two_models_lines(alike)[1] == "better: not known, the scores are equal or undefined"


@pytest.mark.parametrize("change", [{"score": None, "deviation": None}, {"deviation": 0.0}])
def test_where_no_gap_can_be_given(change):
    models = [model | change for model in MODELS]
    lines = two_models_lines(CONTENT | {"models": models})
    assert lines[1] == "better: the second, it scores higher"


def test_a_calibration_with_its_reliability():
    row = {"networks": "all", "pairs": 1234, "predicted": 0.75, "observed": 0.7}
    content = {
        **CONTENT["calibrated"],
        "proxy": "naswot",
        "left_out": 3,
        "initialisations": 2,
        "datasets": {"cifar10": {"reliability": [row | {"low": 0.6, "high": 0.8}]}},
    }
    first, *_ = calibration_lines(content)
    assert first == (
        "naswot on 99 networks of naap440's search part, 3 without a finite score left out; "
        "test accuracy, 2 initialisations"
    )
    assert calibration_lines(content | {"space": "", "source": "a.csv", "left_out": 0})[0] == (
        "naswot on 99 models of a.csv; test accuracy, 2 initialisations"
    )
    text = rendered(reliability_table(content))
    assert "cifar10 all 1,234 .750 .700 [.600, .800]" in " ".join(text.split())
