"""Archives damaged in every way: findings of documented kinds, never another exception; analyses/studies has many more."""

import os
import re
import shutil
import tempfile
import warnings
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from selfinterp_stats import (
    SelfInterpWarning,
    check_archive,
    correlate,
    fit_choices,
    make_scenarios,
    read_archive,
    simulate_experiment,
)
from selfinterp_stats.agents import Agent, Reporter
from selfinterp_stats.testing import DAMAGES, ERROR_KINDS, WARNING_KINDS, encode_published, strategies, write_files

pytestmark = pytest.mark.thorough

# In four parts, so that they can run beside each other; 10,000 examples in CI, which may ask for another number.
PARTS = 4
EXAMPLES = int(os.environ.get("SELFINTERP_DAMAGED", "10000" if os.environ.get("CI") else "400"))
MANY = settings(max_examples=EXAMPLES // PARTS, suppress_health_check=[HealthCheck.too_slow], database=None)
MEMORY = Path("/dev/shm") if Path("/dev/shm").is_dir() else None


def _make_files(seed: int) -> dict[str, bytes | None]:
    rows = [("tea", "heat", 0, 100), ("tea", "price", 1, 9), ("tea", "leaves", 1, 12)]
    rows += [("bus", "wait", 0, 30), ("bus", "fare", 1, 5), ("bus", "seats", 10, 60), ("bus", "stops", 0, 14)]
    scenarios = make_scenarios(pd.DataFrame(rows, columns=["scenario", "attribute", "low", "high"]))
    stages = ("base", "preference-trained", "introspection-trained")
    agent = Agent("m", reporters={stage: Reporter() for stage in stages})
    archive = simulate_experiment(
        scenarios, agents=[agent], n_instilled=seed, n_trials=(5, 5), n_replies=2, probabilities=seed == 1, seed=seed
    ).archive
    return encode_published(archive)


# All files take long to read, so most examples have one beside that of the scenarios.
WHOLE = [_make_files(1), _make_files(2)]
PAIRS = [
    {name: files[name] for name in ("scenarios.csv", other)}
    for files in WHOLE
    for other in files
    if other != "scenarios.csv"
]


def try_damaged(files: dict[str, bytes | None], *, fit: bool) -> bool:
    """Check, and where nothing is wrong read and fit; whether there was an error."""
    home = Path(tempfile.mkdtemp(dir=MEMORY))
    try:
        folder = write_files(files, home)
        problems = check_archive(folder)
        for problem in problems:
            assert problem.kind in (ERROR_KINDS if problem.severity == "error" else WARNING_KINDS)
            assert problem.file
            assert problem.found
            assert problem.expected
            assert problem.remedy
        if problems.errors or not fit:
            return bool(problems.errors)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", SelfInterpWarning)
            archive = read_archive(folder)
            if len(archive.decisions):
                correlate(
                    fit_choices(archive.decisions, archive.scenarios, pooling="none", draws=100), archive.reports, draws=100
                )
        return False
    finally:
        shutil.rmtree(home)


@pytest.mark.many
@pytest.mark.parametrize("part", range(PARTS))
def test_damage_ends_in_findings(part):
    kinds = set()

    @MANY
    @given(st.data())
    def run(data):
        # hypothesis draws zero more often than its share, and these cost ten times as much
        chosen = WHOLE if data.draw(st.integers(0, 19)) == 13 else PAIRS
        files, kind = data.draw(strategies.damaged_archives(data.draw(st.sampled_from(chosen[part % 2 :: 2]))))
        kinds.add(kind)
        try_damaged(files, fit=data.draw(st.integers(0, 49)) == 37)

    run()
    if EXAMPLES >= 10_000:
        assert kinds == set(DAMAGES)


def test_undamaged_archives_pass():
    for files in WHOLE:
        assert not try_damaged(files, fit=True)


def test_twin_reader_that_trusts_its_files_is_caught(monkeypatch):
    """A reader that takes any cell for a number stumbles over some damage with another exception."""
    monkeypatch.setattr("selfinterp_stats.tables.raw._as_number", float)

    @settings(MANY, max_examples=400, derandomize=True)
    @given(st.data())
    def run(data):
        files, _ = data.draw(strategies.damaged_archives(data.draw(st.sampled_from(PAIRS))))
        try_damaged(files, fit=False)

    with pytest.raises((ValueError, ExceptionGroup)):
        run()


@pytest.mark.checkout
def test_kinds_are_those_of_the_docs(checkout):
    page = (checkout / "docs" / "data.md").read_text().partition("## What is checked")[2]
    errors, warned = page.split("**Warnings**")
    for text, kinds in ((errors, ERROR_KINDS), (warned, WARNING_KINDS)):
        named = re.findall(r"`([a-z]+(?:-[a-z]+)*)`", "".join(re.findall(r"^\| (`.*?) \|", text, flags=re.MULTILINE)))
        assert sorted(named) == sorted(kinds)


def test_kinds_are_those_of_the_source():
    # "doubled-reply" is put together from the name of a unit
    import selfinterp_stats

    root = Path(selfinterp_stats.__file__).parent
    source = "".join(
        p.read_text() for part in ("archive", "tables") for p in (root / part).glob("*.py") if p.name != "problems.py"
    )
    unused = [kind for kind in (*ERROR_KINDS, *WARNING_KINDS) if f'"{kind}"' not in source and kind != "doubled-reply"]
    assert unused == []
