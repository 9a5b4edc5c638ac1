"""Models by name: users' code is called, and its errors are reported in one line."""

import sys

import pytest
import torch
from torch import nn

from eznas.errors import InputError
from eznas.spaces import SPACES
from eznas.spaces.user_models import canonical_name, load_model

ARCHITECTURE = SPACES["nasbench201"].architectures()[15_624]
MODULE = """
import torch
from torch import nn

def plain():
    return nn.Linear(3, 2)

def seeded():
    torch.manual_seed(7)
    return nn.Linear(3, 2)

def sized(width, depth=1, kinds=()):
    return nn.Linear(width, depth + len(kinds))

def moves():
    import os
    os.chdir("..")
    return nn.Linear(3, 2)
"""


@pytest.fixture(autouse=True)
def module(tmp_path, monkeypatch):
    (tmp_path / "package").mkdir()
    (tmp_path / "package" / "mine.py").write_text(MODULE)
    monkeypatch.chdir(tmp_path)
    yield "package.mine"
    for name in ("package", "package.mine"):
        sys.modules.pop(name, None)


def same_parameters(a: nn.Module, b: nn.Module) -> bool:
    pairs = zip(a.parameters(), b.parameters(), strict=True)
    return all(torch.equal(p, q) for p, q in pairs)


def test_a_factory_in_the_current_folder(module):
    model, initialisation = load_model(f"{module}:plain")
    assert isinstance(model, nn.Linear)
    assert initialisation == "keep"


def test_an_architecture():
    model, initialisation = load_model(ARCHITECTURE)
    assert sum(p.numel() for p in model.parameters()) == 72656 + 65 * 10
    assert initialisation == "kaiming"


@pytest.mark.parametrize("name", ["package.mine:plain", ARCHITECTURE])
def test_parameters_depend_on_the_seed_alone(name):
    first, _ = load_model(name, seed=1)
    torch.rand(3)
    assert same_parameters(load_model(name, seed=1)[0], first)
    assert not same_parameters(load_model(name, seed=2)[0], first)


def test_a_factory_may_set_its_own_seed(module):
    assert same_parameters(
        load_model(f"{module}:seeded", 1)[0], load_model(f"{module}:seeded", 2)[0]
    )


@pytest.mark.parametrize("name", ["package.mine:seeded", "package.mine:nothing", ARCHITECTURE])
def test_random_state_and_path_are_left_alone(name):
    state, path = torch.get_rng_state(), list(sys.path)
    try:
        load_model(name)
    except InputError:
        assert name.endswith("nothing")
    assert torch.equal(torch.get_rng_state(), state)
    assert sys.path == path


def test_a_factory_may_change_the_folder(module):
    path = list(sys.path)
    assert isinstance(load_model(f"{module}:moves")[0], nn.Linear)
    assert sys.path == path


def test_the_nearest_factory(module):
    with pytest.raises(InputError, match=r"unknown factory 'plan'; did you mean 'plain'\?"):
        load_model(f"{module}:plan")


def test_a_file_name_is_answered_with_the_name_of_its_module():
    with pytest.raises(InputError, match=r"did you mean 'nets\.mine:small'\?"):
        load_model("nets/mine.py:small")


@pytest.mark.parametrize("space", ["nasbench-macro", "nasbench101", "nats-size", "transnas-macro"])
def test_architectures_of_other_spaces_follow_the_name_of_the_space(space):
    [architecture] = SPACES[space].sample(1)
    model, initialisation = load_model(f"{space}/{architecture}")
    assert initialisation == "kaiming"
    shapes = [p.shape for p in SPACES[space].build(architecture).parameters()]
    assert [p.shape for p in model.parameters()] == shapes
    with pytest.raises(InputError, match="'nothing'"):
        load_model(f"{space}/nothing")


@pytest.mark.parametrize(
    ("arguments", "shape"),
    [
        ("(3)", (1, 3)),
        ("(3, depth=2)", (2, 3)),
        ("(width=4, kinds=['a', ('b', 1)])", (3, 4)),
        (" ( 5, -1 + 3j, )", None),
    ],
)
def test_a_factory_with_literal_arguments(module, arguments, shape):
    name = f"{module}:sized{arguments}"
    if shape is None:
        with pytest.raises(InputError, match=r"sized\(\) failed: TypeError"):
            load_model(name)
    else:
        assert load_model(name)[0].weight.shape == shape


@pytest.mark.parametrize(
    "arguments",
    ["(print(1))", "(3)(4)", "(width)", "(**{'width': 3})", "(*[3])", "(3", "(3) + 1", "(x:=3)"],
)
def test_arguments_that_are_no_literals_are_refused(module, arguments):
    with pytest.raises(InputError, match="expected literals as arguments"):
        load_model(f"{module}:sized{arguments}")


def test_names_of_one_model_have_one_spelling(module):
    names = [f"{module}:sized(3,kinds=[1], depth=2)", f"{module}:sized( 3, depth = 2, kinds=[1])"]
    assert len({canonical_name(name) for name in names}) == 1
    assert canonical_name(f"{module}:plain") == canonical_name(f"{module}:plain()")
    assert canonical_name(ARCHITECTURE) == canonical_name(f"nasbench201/{ARCHITECTURE}")
