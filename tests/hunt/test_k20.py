"""K20: one top-level name is installed, so that a user's own modules may have any other."""

import subprocess
import sys
import tomllib
from pathlib import Path

from eznas.spaces import SPACES

ROOT = Path(__file__).parents[2]
TAKEN = ("cli", "discovery", "formulas", "metrics", "primitives", "proxies", "spaces", "system")
SCRIPT = """
import metrics, primitives
import eznas
assert (metrics.value, primitives.value) == (1, 1)
print(eznas.score("params", {name!r}, input_size=(3, 8, 8))[0]["score"])
"""


def test_one_top_level_package_is_installed() -> None:
    """Every package is `eznas` or below; `primitives/` of the tree is `eznas.primitives`."""
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]
    assert settings["packages"] == {"find": {"include": ["eznas*"]}}
    assert "py-modules" not in settings
    assert "package-dir" not in settings
    folders = {path.parent.name for path in ROOT.glob("*/__init__.py")}
    assert {name for name in folders if name.startswith("eznas")} == {"eznas"}
    assert (ROOT / "eznas" / "primitives" / "__init__.py").samefile(
        ROOT / "primitives" / "__init__.py"
    )


def test_modules_of_the_same_names_beside_a_script(tmp_path: Path) -> None:
    for name in TAKEN:
        (tmp_path / f"{name}.py").write_text("value = 1\n")
    [architecture] = SPACES["nasbench201"].sample(1)
    (tmp_path / "run.py").write_text(SCRIPT.format(name=f"nasbench201/{architecture}"))
    program = "import sys; sys.path.append(sys.argv[1]); import runpy; "
    program += "sys.path.insert(0, ''); runpy.run_path('run.py')"
    outcome = subprocess.run(
        [sys.executable, "-c", program, str(ROOT)],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert outcome.returncode == 0, outcome.stderr
    assert float(outcome.stdout) > 0
