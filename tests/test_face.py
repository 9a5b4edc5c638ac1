"""What `import eznas` and `python -m eznas` offer."""

import os
import subprocess
import sys

import pytest

import eznas
from eznas.proxies.classics import CLASSICS


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    """A Python process of its own."""
    environment = os.environ | {"OMP_NUM_THREADS": "1", "COLUMNS": "80"}
    return subprocess.run(
        [sys.executable, *arguments], env=environment, capture_output=True, text=True, timeout=120
    )


def test_every_name_is_offered_with_a_docstring():
    for name in eznas.__all__:
        assert getattr(eznas, name).__doc__, name


def test_the_lines_of_the_readme_work():
    """Proxies by name, a formula, and what goes wrong in one line."""
    assert [row["proxy"] for row in eznas.proxies()] == list(CLASSICS)
    assert eznas.load("log(params)").formula.text == "log(params)"
    assert "nasbench201" in eznas.SPACES
    assert issubclass(eznas.InputError, ValueError)
    assert eznas.Config().tasks == ("nasbench201",)


def test_the_package_runs_as_a_program():
    process = run("-m", "eznas", "--help")
    assert (process.returncode, process.stderr) == (0, "")
    for command in ("evolve", "resume", "correlate", "agreement", "combine", "features", "speed"):
        assert f" {command} " in process.stdout
    for command in ("score", "export", "proxies", "data", "doctor"):
        assert f" {command} " in process.stdout


def test_importing_does_not_load_the_command_line():
    """Nor Ray, which takes seconds to import."""
    code = "import sys, eznas; print({'typer', 'eznas.cli', 'ray'} & set(sys.modules))"
    assert run("-c", code).stdout == "set()\n"


def test_the_command_line_starts_without_what_is_slow_to_import():
    slow = "{'sklearn', 'scipy.stats', 'scipy.optimize', 'matplotlib'}"
    code = f"import sys, eznas.cli; print({slow} & set(sys.modules))"
    assert run("-c", code).stdout == "set()\n"


def test_predictors_are_imported_when_they_are_asked_for():
    code = "import sys, eznas; print('sklearn' in sys.modules, eznas.predict.__name__)"
    assert run("-c", code).stdout == "False predict\n"
    assert set(eznas._LATER) <= set(eznas.__all__)
    assert all(getattr(eznas, name).__name__ == name for name in eznas._LATER)
    with pytest.raises(AttributeError, match="'eznas' has no attribute 'predicts'"):
        _ = eznas.predicts
