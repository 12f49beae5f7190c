"""Parts of the studies that their results hang on."""

import importlib.util
import sys
from pathlib import Path

import numpy as np
import pytest

pytestmark = pytest.mark.checkout

STUDIES = Path(__file__).parents[2] / "analyses" / "studies"


def load(name):
    spec = importlib.util.spec_from_file_location(f"study_{name}", STUDIES / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def test_true_weights_of_the_coverage_study_touch_the_bound_exactly():
    """An ulp beyond 100 would count as a miss of every interval that ends there."""
    study = load("interval_coverage")
    for agent in study.AGENTS:
        decisions, scenarios, truth = study.simulate(agent, 25, np.random.default_rng(1))
        assert (np.abs(truth).reshape(study.N_SCENARIOS, -1).max(axis=1) == 100).all()
        assert len(decisions.frame) == 25 * study.N_SCENARIOS
        assert len(scenarios.names) == study.N_SCENARIOS


def test_coverage_study_counts_what_it_says():
    study = load("interval_coverage")
    row = study.replicate(study.CELLS.index(("consistency 6", 200)))
    assert row["agent"] == "consistency 6"
    assert 0.85 < row["partial_0.95"] <= 1
    assert row["partial_0.5"] < row["partial_0.8"] < row["partial_0.95"]
    table = study.summarise([{"number": 0, **row}, {"number": 36, **row}])
    assert table.loc[0, "replications"] == 2
    assert table.loc[0, "partial_0.95"] == pytest.approx(row["partial_0.95"])


def test_agreement_study_knows_separated_answers():
    study = load("agreement")
    decisions, scenarios = study.simulate([2, 2], 40, deterministic=True)
    noisy, _ = study.simulate([2, 2], 40)
    from selfinterp_stats import fit_choices

    for trials, expected in ((decisions, True), (noisy, False)):
        fit = fit_choices(trials, scenarios, pooling="none", draws=100)
        assert (study.is_separated(fit, trials, scenarios) == expected).all()
