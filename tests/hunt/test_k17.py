"""K17, K18: a bad model takes no other with it; images are drawn if a formula looks at them."""

import sys
import time

import pytest

import eznas
from eznas.statistics import drawn
from tests.cli.calls import call
from tests.hunt.small import Small, refusal, score

MODULE = """
from tests.hunt.small import Small

class Narrow(Small):
    def features(self, x):
        raise RuntimeError("not at this size")

def good():
    return Small()

def larger():
    return Small(8)

def narrow():
    return Narrow()

def absent():
    raise RuntimeError("no accelerator")

def several():
    return [Small()]
"""
INPUT = {"input_size": (3, 16, 16), "batch": 8}


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    (tmp_path / "oddities.py").write_text(MODULE)
    monkeypatch.chdir(tmp_path)
    yield
    sys.modules.pop("oddities", None)


@pytest.mark.parametrize("proxy", ["params", "naswot"])
def test_bad_models_come_last_with_their_reasons(proxy: str) -> None:
    names = ["absent", "good", "narrow", "larger", "several"]
    rows = eznas.score(proxy, [f"oddities:{name}" for name in names], **INPUT)
    assert {row["model"] for row in rows[:2]} == {"oddities:good", "oddities:larger"}
    assert [row["failed"] for row in rows] == [False] * 2 + [True] * 3
    assert all(row["score"] == score(proxy, Small()) for row in rows if row["model"][-4:] == "good")
    reasons = {row["model"]: row["reason"] for row in rows[2:]}
    assert "no accelerator" in reasons["oddities:absent"]
    assert "oddities:narrow: model Narrow: forward failed" in reasons["oddities:narrow"]
    assert "gave a list, not a module" in reasons["oddities:several"]
    assert all(row["score"] is None for row in rows[2:])


def test_the_command_shows_the_rest_and_ends_with_1() -> None:
    outcome = call("score", "params", "oddities:narrow", "oddities:good", "--input", "3,16,16")
    assert outcome.code == 1
    assert outcome.out.index("oddities:good") < outcome.out.index("failed")
    assert "not at this size" in outcome.out
    outcome = call("score", "params", "oddities:narrow", "oddities:good", "--json")
    assert outcome.code == 1
    assert outcome.out.startswith('{"scores": [{"model": "oddities:good"')


def test_one_bad_model_alone_is_bad_input() -> None:
    assert "not at this size" in refusal(lambda: eznas.score("params", "oddities:narrow"))
    assert call("score", "params", "oddities:narrow").code == 2


def test_images_are_drawn_once_and_only_if_they_are_named(monkeypatch) -> None:
    drawn._drawn.cache_clear()
    drawings = []
    original = drawn.pictures

    def pictures(*arguments, **options):
        drawings.append(arguments)
        return original(*arguments, **options)

    monkeypatch.setattr(drawn, "pictures", pictures)
    models = ["oddities:good", "oddities:larger", "oddities:good"]
    for proxy in ("params", "flops", "synflow", "zen", "az_nas", "depth", "l2_norm"):
        eznas.score(proxy, models, **INPUT)
    assert drawings == []
    for proxy in ("naswot", "snip"):
        eznas.score(proxy, models, **INPUT)
        score(proxy, Small())
    assert len(drawings) == 1  # 16 images serve statistics that keep tensors, whatever the batch
    drawn._drawn.cache_clear()


def test_sizes_cost_little_beside_the_pass() -> None:
    """A generous bound: it was 160 ms for this input, and 13 s at 224 pixels."""
    model, proxy = Small(), eznas.load("params")
    proxy.score(model, (3, 224, 224))
    start_time = time.process_time()
    for _ in range(3):
        proxy.score(model, (3, 32, 32))
    assert (time.process_time() - start_time) / 3 < 0.06
