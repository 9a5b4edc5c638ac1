"""Seconds of scores beside those of bare passes, and the model they are measured on."""

import pytest
import torch

from eznas.errors import InputError
from eznas.report.study_page import study_page
from eznas.report.tables import scoring_table
from eznas.studies import scoring_time as module
from eznas.studies.scoring_time import passes_of, resnet18, scoring_times


def test_a_resnet18_is_the_published_one():
    """11,689,512 parameters, as of 1,000 classes; 512 features at a stride of 32."""
    model = resnet18()
    assert sum(p.numel() for p in model.parameters()) == 11_689_512
    assert model(torch.zeros(2, 3, 64, 64)).shape == (2, 1000)
    assert model[:-3](torch.zeros(2, 3, 64, 64)).shape == (2, 512, 2, 2)


@pytest.fixture
def small(monkeypatch):
    """Seconds without running anything: of every call 2, of bare passes 0.5 each."""
    monkeypatch.setattr(module, "resnet18", torch.nn.Identity)
    monkeypatch.setattr(module, "timed", lambda work, *_, **__: 0.5 if "pass" in str(work) else 3.0)


@pytest.mark.usefixtures("small")
def test_a_row_for_each_proxy_and_model():
    """SNIP needs a probe beside the forward pass, sizes none, the hybrid two."""
    rows = scoring_times(["snip", "params", "hybrid"], tries=1)
    ratios = {(row["proxy"], row["model"]): row["ratio"] for row in rows}
    for model in ("nasbench201", "resnet18"):
        expected = {"snip": 3.0, "params": 6.0, "hybrid": 2.0}
        assert {proxy: ratios[proxy, model] for proxy in expected} == expected
    assert scoring_table({"scoring_times": rows}).row_count == 6
    page = study_page("speed", {"rows": {"command": "eznas speed", "scoring_times": rows}})
    assert page.index("`params`") < page.index("`snip`") < page.index("`hybrid`")


def test_bare_passes_leave_the_model_as_it_is():
    """In training mode the running statistics of a norm would move."""
    from eznas.evaluation.plan import Plan
    from eznas.proxies.loading import load
    from eznas.statistics.catalogue import CATALOGUE

    proxy, model = load("hybrid"), torch.nn.Sequential(torch.nn.Conv2d(3, 2, 3))
    model.append(torch.nn.BatchNorm2d(2)).append(torch.nn.ReLU()).append(torch.nn.Flatten())
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    rows = [CATALOGUE[n] for n in Plan.of(proxy.formula.features()).statistics()]
    assert passes_of(model, proxy.measurement_config((3, 8, 8)), rows) > 0
    assert all(torch.equal(t, before[name]) for name, t in model.state_dict().items())
    assert all(p.grad is None for p in model.parameters())


def test_a_proxy_that_is_none():
    with pytest.raises(InputError, match="unknown proxy 'naswott'"):
        scoring_times(["naswott"])
