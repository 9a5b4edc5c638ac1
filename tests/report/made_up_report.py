"""The content of a report on a run that nothing was computed for."""

from eznas.discovery.config import read
from eznas.report.run_html import RunContent
from tests.metrics.made_up import ROW

NAME = "<b>a & b</b>"
DATASET = "cifar<10> & more"
FORMULA = "0.25 * log(params) + -0.125 * last_layer(log(mean(data_relu_agreement)))"
TAUS = {"champion": 0.7123, NAME: 0.6, "params": 0.3456, "flops": None}


def row(proxy, tau, **changes):
    """A row of correlations."""
    numbers = dict.fromkeys(ROW)
    if tau is not None:
        numbers |= {"tau": tau, "tau_low": tau - 0.1, "tau_high": tau + 0.1, "rho": tau + 0.05}
    head = {"proxy": proxy, "dataset": DATASET, "networks": 16, "set": "held-out part"}
    return numbers | head | {"accuracy": "validation", "seeds": [0]} | changes


def partial(value):
    """A partial rho with its interval."""
    keys = ("partial_rho", "partial_rho_low", "partial_rho_high")
    return dict(zip(keys, (value, value - 0.2, value + 0.2), strict=True))


def result(**changes):
    """The result of a run that is ahead of one proxy and even with another."""
    held_out = [row(name, tau) for name, tau in TAUS.items()]
    held_out[0] |= partial(0.4321)
    lead = {"dataset": DATASET, "rho": 0.1, "rho_low": 0.0, "rho_high": 0.2}
    return {
        "run": NAME, "champion": NAME, "formula": FORMULA, "seconds": 75.0, "evaluations": 1234,
        "stopped": "", "recommended": "", "held_out": held_out,
        "difference": [
            lead | {"against": NAME, "tau": 0.1123, "low": 0.0513, "high": 0.2},
            lead | {"against": "params", "tau": 0.3669, "low": -0.0124, "high": 0.7},
        ],
    } | changes  # fmt: skip


FRONT = [
    {"number": 2, "formula": "params", "size": 1, "searched": 0.5, "fitness": 0.4567, "low": 0.4,
     "high": 0.5, "tau": {DATASET: 0.45}, "champion": False, "recommended": True},
    {"number": 1, "formula": FORMULA, "size": 12, "searched": 0.6, "fitness": None, "low": None,
     "high": None, "tau": {DATASET: None}, "champion": True, "recommended": False},
]  # fmt: skip
PART = {
    "formula": "log(params)", "weight": 0.25, "words": "the log of params",
    "statistics": ["params"], "share": 0.62,
    "lost": 0.2345, "low": 0.1, "high": 0.3, "alone": 0.5, "constant": False, "spared": False,
}  # fmt: skip
SETS = [{"space": "nasbench201", "networks": 8, "set": "search part", "accuracy": "validation"}]
EXPLANATION = {
    "kind": "sum", "sets": SETS, "tau": {DATASET: 0.5432}, "mean_tau": 0.5432,
    "parts": [PART, PART | {"lost": None, "low": None, "high": None, "constant": True}],
    "core": {"formula": "params", "parts": 1, "tau": 0.5401}, "constants": {"params": 3.0},
}  # fmt: skip


def generation(number, fitness, networks=16):
    """A line of a journal."""
    best = {"fitness": fitness, "formula": FORMULA}
    return {"generation": number, "networks": networks, "best": best, "median": fitness / 2}


def content(**changes) -> RunContent:
    """A finished and measured run."""
    scores = [0.1, 0.3, 0.2, float("-inf"), float("nan"), 0.4, 0.6, 0.5]
    fields = {
        "run": NAME, "state": "finished", "command": "eznas evolve --seed 1 --name '<run>'",
        "config": read().model_dump(), "formula": FORMULA, "result": result(),
        "environment": {"python": "3.11.7", "packages": {"torch": "2.13<0>"}, "cores": 2},
        "generations": [generation(0, 0.4), generation(1, 0.5), generation(2, 0.45, 32)],
        "front": FRONT, "error": 0.0214, "sets": SETS, "explanation": EXPLANATION,
        "scores": {DATASET: (scores, [91.0, 92.0, 93.0, 10.0, 20.0, 94.0, 95.0, 96.0])},
    } | changes  # fmt: skip
    return RunContent(**fields)


def unmeasured(**changes) -> RunContent:
    """A run of which no more is known than what its folder has."""
    front = [{k: row[k] for k in ("number", "formula", "size", "searched", "champion")}
             for row in FRONT]  # fmt: skip
    return content(
        **{"front": front, "error": None, "sets": (), "explanation": None, "scores": {}} | changes
    )
