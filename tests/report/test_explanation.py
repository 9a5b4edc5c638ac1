"""An explanation, as it is printed."""

from eznas.report.explanation import explanation_lines
from eznas.report.study_page import study_page


def part(number, lost, **changes):
    formula = f"sum_layers(layer_params) * {number}.0"
    return {
        "formula": formula,
        "weight": 0.5,
        "words": "the sum over layers of layer_params",
        "statistics": ["layer_params"],
        "share": 0.2,
        "lost": lost,
        "low": -0.01,
        "high": 0.2,
        "alone": 0.4,
        "constant": False,
        "spared": lost is not None and lost < 0.05,
    } | changes


CONTENT = {
    "proxy": "first",
    "formula": "sum_layers(layer_params)",
    "kind": "sum",
    "sets": [{"space": "nasbench201", "networks": 200, "set": "search", "accuracy": "validation"}],
    "tau": {"cifar10": 0.61, "cifar100": 0.63},
    "mean_tau": 0.62,
    "parts": [part(i, 0.1 / i) for i in range(1, 8)],
    "core": {"formula": "params", "parts": 2, "tau": 0.617},
    "constants": {},
    "reduced": None,
    "statistics": [
        {"statistic": name, "meaning": f"what {name} is", "probe": probe, "source": source}
        for name, probe, source in (
            ("layer_params", "structure", ""),
            ("noise_gram", "noise", "Noether, 1918"),
        )
    ],
}


def test_what_matters_comes_first():
    lines = explanation_lines(CONTENT)
    assert max(map(len, lines)) <= 80
    text = "\n".join(lines)
    assert "a weighted sum of 7 terms" in text
    assert "tau .620, the mean of .610 on cifar10, .630 on cifar100; 200 networks" in text
    assert text.count("tau lost without it") == 3
    assert "20 % of the spread; tau lost without it .100 [-.010, .200]; alone .400" in text
    assert "and 4 more, together 80 % of the spread (--all shows them)" in text
    assert "2 of the 7 alone: tau .617" in text
    assert "  layer_params: what layer_params is (of the network as it stands)" in text
    assert "noise_gram" not in text
    assert " ".join(text.split()).count("can be left out") == 1  # the third


def test_accuracies_that_the_search_has_seen_are_said():
    seen = CONTENT | {"sets": [CONTENT["sets"][0] | {"seen": 260}]}
    text = " ".join(" ".join(explanation_lines(seen)).split())
    assert "validation accuracy; its search has seen 260 accuracies of this space" in text
    assert "its search has seen" not in " ".join(explanation_lines(CONTENT))


def test_everything():
    parts = [part(1, 0.1, statistics=["noise_gram"]), *CONTENT["parts"]]
    text = "\n".join(explanation_lines(CONTENT | {"parts": parts}, everything=True))
    assert text.count("tau lost without it") == 8
    assert "--all" not in text
    assert "  noise_gram: what noise_gram is (probe noise; Noether, 1918)" in text


def test_parts_that_hold_against_the_others_do_nothing_or_are_alone():
    against = part(1, -0.1, share=-0.06)
    nothing = part(2, 0.0, constant=True, share=0.0, weight=-1.0)
    text = "\n".join(explanation_lines(CONTENT | {"parts": [against, nothing], "core": None}))
    assert "-6 % of the spread, against the others; tau lost without it -.100" in text
    assert "0 % of the spread; the same for all networks" in text
    assert "* 0.5 * sum_layers(layer_params) * 1.0" in text
    assert "* -sum_layers(layer_params) * 2.0" in text
    alone = CONTENT | {"parts": [part(1, None)], "core": None, "kind": "single"}
    lines = explanation_lines(alone)
    assert lines[0].startswith("first: one term, ")
    assert not any("spread" in line for line in lines)


def test_what_it_reduces_to():
    changes = {"constants": {"max_layers(layer_kernel)": 3.0}, "reduced": "params"}
    lines = explanation_lines(CONTENT | changes)
    assert "max_layers(layer_kernel) is 3 for all of these networks" in lines
    assert lines[lines.index("so on these networks the formula orders as") + 1] == "  params"
    assert "so all of them have the same score" in explanation_lines(
        CONTENT | changes | {"reduced": ""}
    )


def test_its_page_has_all_parts():
    content = CONTENT | {
        "parts": [*CONTENT["parts"][:6], part(7, None, share=None, alone=None, constant=True)]
    }
    page = study_page("first", {"explanation": {"command": "eznas explain first", **content}})
    assert "first: a weighted sum of 7 terms" in page
    assert "tau .620, the mean of .610 on cifar10, .630 on cifar100; 200 networks" in page
    cells = (
        "| `0.5 * sum_layers(layer_params) * 1.0` | 20.0% | +0.100 [-0.010, +0.200] | +0.400 |  |"
    )
    assert cells in page
    assert "* 3.0` | 20.0% | +0.033 [-0.010, +0.200] | +0.400 | can be left out |" in page
    assert "* 7.0` | - | - | - | the same for all networks |" in page
    assert "2 of the 7 alone: tau .617" in page
