"""The command that measures where features are defined."""

from eznas.formulas.definedness import Definedness
from tests.cli.calls import call, complaint


def test_a_table_of_some_models_is_printed():
    outcome = call("records", "definedness", "linear", "mlp", "--workers", "1")
    assert outcome.code == 0
    table = Definedness.of_text(outcome.out)
    assert list(table.networks) == ["linear", "mlp"]
    assert table.undefined_on["params"] == ()
    assert {name for names in table.undefined_on.values() for name in names} == {"linear"}
    assert table.as_text() == outcome.out


def test_an_unknown_name_is_one_line():
    assert "model or space 'lineer'; did you mean 'linear'" in complaint(
        "records", "definedness", "lineer"
    )
