"""Profiles, and fixtures that many tests share."""

from __future__ import annotations

import os
import warnings
from pathlib import Path

import pytest
from helpers.experiments import Experiment, simulate, write_archive
from hypothesis import HealthCheck, settings

from selfinterp_stats import Archive, ChoiceFit, SelfInterpWarning, fit_choices, read_archive

settings.register_profile("dev", max_examples=30, deadline=None)
settings.register_profile(
    "ci", max_examples=100, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow]
)
settings.register_profile("thorough", max_examples=2000, deadline=None)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci" if os.environ.get("CI") else "dev"))


@pytest.fixture(scope="session")
def checkout() -> Path:
    """The project's own folder, with its README; the tests may also run elsewhere, against an installed wheel."""
    root = Path(__file__).parents[1]
    if not (root / "README.md").is_file():
        pytest.skip("not in a checkout")
    return root


@pytest.fixture(scope="session")
def published() -> Path:
    """The folder with the published trials."""
    folder = os.environ.get("SELFINTERP_ARCHIVE")
    if folder:
        return Path(folder)
    if "archive" in os.environ.get("SELFINTERP_REQUIRE", "").split(","):
        pytest.fail("SELFINTERP_REQUIRE asks for the archive, and SELFINTERP_ARCHIVE does not name it")
    pytest.skip("SELFINTERP_ARCHIVE is not set")


@pytest.fixture(scope="session")
def experiment() -> Experiment:
    """Twelve scenarios with five, three and seven attributes, and their true weights."""
    return simulate(n_scenarios=12, n_attributes=(5, 3, 7), seed=3)


@pytest.fixture(scope="session")
def archive_folder(experiment: Experiment, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The experiment as an archive of the published layout; not to be changed."""
    folder = tmp_path_factory.mktemp("archives") / "simulated"
    write_archive(folder, experiment, seed=4)
    return folder


@pytest.fixture(scope="session")
def archive(archive_folder: Path) -> Archive:
    """The same, read."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SelfInterpWarning)
        return read_archive(archive_folder)


@pytest.fixture(scope="session")
def fit(archive: Archive) -> ChoiceFit:
    """The same, fitted."""
    return fit_choices(archive.decisions, archive.scenarios, pooling="none", draws=1000, seed=5)
