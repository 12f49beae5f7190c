"""The path to Bambi: against the closed form, and models that have none."""

import sys

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from selfinterp_stats import SelfInterpError, check_posterior_predictive, compute_loo, estimate_trends, fit_regression


def make_table(seed=1):
    rng = np.random.default_rng(seed)
    table = pd.DataFrame(
        {
            "x": rng.normal(3.0, 1.0, 200),
            "trained": rng.random(200) < 0.5,
            "scenario": [f"s{i}" for i in np.repeat(np.arange(20), 10)],
        }
    )
    own = np.repeat(rng.standard_normal(20), 10)
    table["y"] = 1.0 + (0.5 + 0.3 * table["trained"]) * table["x"] + own + rng.standard_normal(200)
    table["chosen"] = rng.random(200) < 1.0 / (1.0 + np.exp(-(table["x"] - 3.0)))
    return table


def assert_same(found, expected, names):
    """Means within 4.5 Monte-Carlo errors, sds within a tenth."""
    for name in names:
        one, two = found.take(name), expected.take(name)
        size = found.diagnostics.loc[name, "ess_bulk"]
        assert abs(one.mean() - two.mean()) < 4.5 * two.std() * np.sqrt(1 / size + 1 / two.size)
        assert one.std() == pytest.approx(two.std(), rel=0.1)


@pytest.mark.thorough
def test_nuts_agrees_with_the_closed_form():
    table = make_table()
    chains, exact = (fit_regression("y ~ x * trained", table, inference=how) for how in ("nuts", "exact"))
    assert chains.names == exact.names
    assert_same(chains, exact, exact.names)
    # the broken twin: the same model of other data
    with pytest.raises(AssertionError):
        assert_same(chains, fit_regression("y ~ x * trained", make_table(seed=2)), exact.names)
    assert np.allclose(chains.log_likelihood().mean(), exact.log_likelihood().mean(), atol=0.02)


@pytest.mark.thorough
def test_group_specific_terms():
    table = make_table()
    fit = fit_regression("y ~ x * trained + (1 | scenario)", table)
    assert fit.names == ("Intercept", "x", "trained[True]", "x:trained[True]", "1|scenario_sigma", "sigma")
    assert (fit.diagnostics["r_hat"] < 1.02).all()
    assert 0.5 < np.median(fit.take("1|scenario_sigma")) < 2.0
    assert np.median(fit.take("sigma")) == pytest.approx(1.0, abs=0.2)
    text = str(fit)
    assert "Group-specific terms (standard deviations)" in text
    assert "sd ~ half of student_t(3, 0, 2.5)" in text
    # rows are predicted with their scenario's own level, trends are not
    residual = fit.design.y - fit.predict_mean().mean(axis=1)
    assert pd.Series(residual).groupby(table["scenario"]).mean().abs().max() < 0.5
    flat = table["y"] - fit.design.X @ fit.coefficient_draws.mean(axis=1)
    assert flat.groupby(table["scenario"]).mean().abs().max() > 1.0
    assert estimate_trends(fit, "x", by="trained").contrast().summary()["median"].iloc[0] == pytest.approx(0.3, abs=0.4)
    assert compute_loo(fit).elpd > compute_loo(fit_regression("y ~ x * trained", table)).elpd + 10


@pytest.mark.thorough
def test_other_families():
    table = make_table()
    fit = fit_regression("chosen ~ x", table, family="bernoulli")
    X, y = fit.design.X, fit.design.y
    mode = np.zeros(2)
    for _ in range(20):
        p = 1 / (1 + np.exp(-X @ mode))
        mode = mode + np.linalg.solve(X.T @ (X * (p * (1 - p))[:, None]), X.T @ (y - p))
    error = np.sqrt(np.diag(np.linalg.inv(X.T @ (X * (p * (1 - p))[:, None]))))
    assert np.abs((fit.coefficient_draws.mean(axis=1) - mode) / error).max() < 0.3
    assert check_posterior_predictive(fit, statistics=("mean",)).summary()["p_value"].iloc[0] == pytest.approx(0.5, abs=0.2)
    table["y"] = table["y"] + np.where(np.arange(200) % 20 == 0, 30.0, 0.0)
    robust = fit_regression("y ~ x", table, family="student")
    assert np.median(robust.take("nu")) < 5
    assert abs(np.median(robust.take("x")) - 0.65) < 0.35
    row = stats.t.logpdf(
        robust.design.y[3], robust.take("nu"), robust.design.X[3] @ robust.coefficient_draws, robust.take("sigma")
    )
    assert np.allclose(robust.log_likelihood()[3], row)


def test_without_bambi(monkeypatch):
    monkeypatch.setitem(sys.modules, "bambi", None)
    with pytest.raises(SelfInterpError, match=r"needs Bambi and nutpie: pip install 'selfinterp-stats\[nuts\]'"):
        fit_regression("y ~ x", make_table(), inference="nuts")
