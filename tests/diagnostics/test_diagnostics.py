"""Predictive checks, elpd, cross-validation and sensitivity, against closed forms and broken models."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from selfinterp_stats import (
    ArgumentError,
    Normal,
    StudentT,
    check_posterior_predictive,
    check_prior_sensitivity,
    compare_models,
    compute_loo,
    cross_validate_regression,
    fit_regression,
)


def make_table(seed=1, rows=80):
    rng = np.random.default_rng(seed)
    table = pd.DataFrame({"x": rng.standard_normal(rows), "scenario": np.arange(rows) // 8})
    return table.assign(y=1.0 + 0.8 * table["x"] + rng.standard_normal(rows))


@pytest.fixture(scope="module")
def fit():
    return fit_regression("y ~ x", make_table())


def test_predictive_check(fit):
    found = check_posterior_predictive(fit, statistics=("mean", "sd", "kurtosis")).summary().set_index("statistic")
    assert found.loc["mean", "observed"] == pytest.approx(fit.design.y.mean())
    assert (found["p_value"].between(0.05, 0.95)).all()
    assert (found["hdi_low"] < found["observed"]).all()
    # a broken model: heavy tails that are taken for normal ones
    table = make_table(rows=200)
    heavy = table.assign(y=table["y"] + 3.0 * stats.t(1.5).rvs(200, random_state=1))
    broken = check_posterior_predictive(fit_regression("y ~ x", heavy), statistics=("kurtosis",)).summary()
    assert broken["p_value"].iloc[0] < 0.01


def exact_log_predictive(table, left_out):
    """Log density of rows left out under flat coefficients and p(sigma) = 1/sigma: multivariate Student-t."""
    X = np.column_stack([np.ones(len(table)), table["x"]])
    y = table["y"].to_numpy()
    kept, out = X[~left_out], X[left_out]
    estimate, rss = np.linalg.lstsq(kept, y[~left_out], rcond=None)[:2]
    df = len(kept) - 2
    shape = rss[0] / df * (np.eye(len(out)) + out @ np.linalg.inv(kept.T @ kept) @ out.T)
    return stats.multivariate_t.logpdf(y[left_out], out @ estimate, shape, df=df)


def test_leave_one_out(fit):
    table = make_table()
    expected = sum(exact_log_predictive(table, np.arange(len(table)) == i) for i in range(len(table)))
    assert compute_loo(fit).elpd == pytest.approx(expected, abs=0.5)


def test_leave_scenario_out(fit):
    table = make_table()
    found = cross_validate_regression(fit, table["scenario"])
    expected = [exact_log_predictive(table, (table["scenario"] == s).to_numpy()) for s in range(10)]
    assert np.abs(found.table["elpd"] - expected).max() < 0.3
    assert found.elpd == pytest.approx(sum(expected), abs=1.0)
    assert found.se == pytest.approx(np.std(found.table["elpd"], ddof=1) * np.sqrt(10))
    assert "10 groups" in str(found)


def test_cross_validation_wants_groups(fit):
    with pytest.raises(ArgumentError, match="groups: expected one label for each of 80 rows, of two groups or more, got 3"):
        cross_validate_regression(fit, ["a", "b", "c"])
    with pytest.raises(ArgumentError, match="10 groups, 1 of them missing"):
        cross_validate_regression(fit, make_table()["scenario"].astype("float64").where(lambda s: s.index != 3))
    transformed = fit_regression("scale(y) ~ x", make_table())
    with pytest.raises(ArgumentError, match=r"fit: expected a response that is a column of the table, got scale\(y\)"):
        cross_validate_regression(transformed, make_table()["scenario"])
    table = make_table().assign(level=lambda t: np.where(t["scenario"] == 0, "own", "other"))
    own = fit_regression("y ~ x + level", table)
    with pytest.raises(ArgumentError, match="got one that has all of level own; take the factor out"):
        cross_validate_regression(own, table["scenario"])


def test_models_are_compared(fit):
    table = make_table()
    found = compare_models({"with x": fit, "without": fit_regression("y ~ 1", table)})
    assert found.index[0] == "with x"
    assert not found.loc["with x", "indistinguishable"]  # from itself
    assert not found.loc["without", "indistinguishable"]
    noise = table.assign(z=np.random.default_rng(3).standard_normal(80))
    found = compare_models({"with x": fit, "with noise": fit_regression("y ~ x + z", noise)})
    assert found["indistinguishable"].tolist() == [False, True]
    with pytest.raises(ArgumentError, match="fits: expected models of the same responses, .*, got others in other"):
        compare_models({"one": fit, "other": fit_regression("y ~ x", make_table(seed=2))})
    with pytest.raises(ArgumentError, match="fits: expected two models or more, got 1"):
        compare_models({"one": fit})


def test_a_prior_against_the_data_is_noticed(fit):
    harmless = check_prior_sensitivity(fit).set_index("parameter")
    assert (harmless["prior"] < 0.05).all()
    strong = {"x": Normal(-3.0, 0.3), "sigma": StudentT(3, 0, 2.5)}
    found = check_prior_sensitivity(fit_regression("y ~ x", make_table(), priors=strong)).set_index("parameter")
    assert found.loc["x", "prior"] > 0.05
    assert found.loc["x", "diagnosis"] != harmless.loc["x", "diagnosis"]
