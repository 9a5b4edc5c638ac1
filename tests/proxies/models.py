"""Models of a user: the source of a module with factories, and what one of them makes."""

import torch
from torch import nn

MODULE = """
import torch
from torch import nn

def made():
    return nn.Sequential(
        nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(),
        nn.Linear(8, 10),
    )

def one():
    torch.manual_seed(1)
    return made()

def two():
    torch.manual_seed(2)
    return made()
"""


def one() -> nn.Module:
    """The same as the factory `one` of the module makes."""
    torch.manual_seed(1)
    return nn.Sequential(
        nn.Conv2d(3, 8, 3),
        nn.BatchNorm2d(8),
        nn.ReLU(),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(8, 10),
    )
