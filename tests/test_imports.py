"""Importing the package is quick: nothing heavier than NumPy, and no printing anywhere in it."""

import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

ABSENT = [
    "pandas",
    "xarray",
    "numba",
    "scipy.stats",
    "sklearn",
    "pyarrow",
    "matplotlib",
    "pytensor",
    "pymc",
    "arviz",
    "arviz_stats",
    "bambi",
    "nutpie",
    "click",
]


def _loaded_after(statement: str) -> set[str]:
    code = f"{statement}\nimport sys; print('\\n'.join(sys.modules))"
    return set(subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split())


def test_import_loads_nothing_heavy():
    assert _loaded_after("import selfinterp_stats").isdisjoint(ABSENT)


def test_the_check_would_see_a_heavy_import():
    assert not _loaded_after("import selfinterp_stats; selfinterp_stats.read_archive").isdisjoint(ABSENT)


def test_help_of_the_command_loads_no_estimator():
    loaded = _loaded_after("import selfinterp_stats.cli")
    assert loaded.isdisjoint(set(ABSENT) - {"click"})


def test_numpy_is_loaded_lazily_too():
    assert "numpy" not in _loaded_after("import selfinterp_stats")


def test_the_library_prints_nothing():
    package = Path(find_spec("selfinterp_stats").origin).parent
    printing = [path.name for path in package.rglob("*.py") if "print(" in path.read_text().replace(">>> print(", "")]
    assert printing == []
