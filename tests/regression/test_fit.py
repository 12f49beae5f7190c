"""The fit as users meet it: priors, print, draws, predictions."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from selfinterp_stats import (
    ArgumentError,
    Normal,
    StudentT,
    check_prior_sensitivity,
    compute_loo,
    evaluate_hypothesis,
    fit_regression,
)


@pytest.fixture(scope="module")
def table():
    rng = np.random.default_rng(1)
    table = pd.DataFrame({"x": rng.normal(3.0, 1.0, 200), "trained": rng.random(200) < 0.5, "model": ["a", "b"] * 100})
    slope = 0.5 + 0.3 * table["trained"]
    return table.assign(y=1.0 + slope * table["x"] + rng.standard_normal(200))


@pytest.fixture(scope="module")
def fit(table):
    return fit_regression("y ~ x * trained + model", table)


def test_least_squares_and_its_errors(fit):
    """With many rows brms' priors hardly count: means and sds are those of ordinary least squares."""
    X, y = fit.design.X, fit.design.y
    estimate, rss = np.linalg.lstsq(X, y, rcond=None)[:2]
    error = np.sqrt(np.diag(np.linalg.inv(X.T @ X)) * rss[0] / (len(y) - X.shape[1]))
    summary = fit.summary().set_index("parameter").loc[list(fit.design.names)]
    assert np.abs((summary["mean"] - estimate) / error).max() < 0.1
    assert np.abs(summary["sd"] / error - 1).max() < 0.05


def test_priors_in_force_are_printed(table, fit):
    text = str(fit)
    for part in (
        "Family: gaussian",
        "Formula: y ~ x * trained + model",
        "200 rows",
        "4,000 independent draws of the closed form",
        "coefficients ~ flat; Intercept (at centred predictors) ~ student_t(3, ",
        "sigma ~ half of student_t(3, 0, 2.5)",
        "l-95% HDI",
        "Bulk_ESS",
        "x:trained[True]",
    ):
        assert part in text
    named = fit_regression("y ~ x + model", table, priors={"x": Normal(0, 0.1), "sigma": fit.priors.sigma})
    assert "x ~ normal(0, 0.1)" in str(named)
    assert named.take("x").mean() < fit_regression("y ~ x + model", table).take("x").mean() - 0.1


def test_scale_of_the_default_priors(table):
    wide = fit_regression("y ~ x", table.assign(y=100 * table["y"]))
    spread = stats.median_abs_deviation(100 * table["y"], scale=1 / 1.4826)
    assert wide.priors.sigma.scale == round(spread, 1)
    assert wide.priors.intercept.location == round(float(np.median(100 * table["y"])), 1)


def test_draws_are_labelled_and_repeatable(table, fit):
    assert fit.draws.dims == ("chain", "draw", "parameter")
    again = fit_regression("y ~ x * trained + model", table)
    assert np.array_equal(fit.values, again.values)
    assert not np.array_equal(fit.values, fit_regression("y ~ x * trained + model", table, seed=2).values)
    with pytest.raises(ArgumentError, match="parameter: expected one of Intercept, x, "):
        fit.take("z")


def test_log_likelihood_and_predictions(fit):
    expected = stats.norm.logpdf(fit.design.y[3], fit.design.X[3] @ fit.coefficient_draws, fit.take("sigma"))
    assert np.allclose(fit.log_likelihood()[3], expected)
    replicated = fit.predict()
    assert replicated.shape == (200, 4000)
    assert abs((replicated < fit.design.y[:, None]).mean() - 0.5) < 0.05
    data = fit.to_inference_data()
    assert data.log_likelihood["y"].shape == (1, 4000, 200)
    assert float(data.log_prior["Intercept"].max()) <= 0.0


def test_columns_of_very_different_size(table):
    """Least squares and standard errors of orthogonal polynomials, from raw powers of large numbers."""
    t = 1e6 * np.linspace(1.0, 10.0, 200)
    fit = fit_regression("y ~ t + I(t ** 2) + I(t ** 3)", table.assign(t=t))
    centred = np.vander((t - t.mean()) / t.std(), 4, increasing=True)
    orthogonal, triangle = np.linalg.qr(centred)
    residual = table["y"] - orthogonal @ (orthogonal.T @ table["y"])
    error = np.sqrt(residual @ residual / 196) * np.abs(np.linalg.inv(triangle)[3, 3]) / t.std() ** 3
    assert fit.take("I(t ** 3)").std() == pytest.approx(error, rel=0.06)


def test_slashes_in_names(table):
    """As in the names of models."""
    fit = fit_regression("y ~ x + model", table.assign(model=table["model"].map({"a": "org/one", "b": "org/two"})))
    assert "model[org/two]" in fit.names
    assert np.isfinite(compute_loo(fit).elpd)
    assert check_prior_sensitivity(fit)["parameter"].tolist() == list(fit.names)


def test_a_prior_far_away_ends(table):
    """Its density falls by many powers of e over the likelihood, of which none may be waited for."""
    rng = np.random.default_rng(1)
    far = pd.DataFrame({"x": rng.standard_normal(20_000), "y": rng.normal(8.0, 63.0, 20_000)})
    fit = fit_regression("y ~ x", far, priors={"Intercept": StudentT(100.0, 100.0, 1.0)}, draws=500)
    distance = 100.0 - far["y"].mean()  # the prior pulls by its slope there times the variance
    pull = 101.0 * distance / (100.0 + distance**2) * far["y"].var() / len(far)
    centred = fit.take("Intercept") + far["x"].mean() * fit.take("x")
    assert centred.mean() == pytest.approx(far["y"].mean() + pull, abs=0.1)


def test_no_intercept(table):
    fit = fit_regression("y ~ 0 + x", table)
    assert fit.names == ("x", "sigma")
    assert "Intercept" not in str(fit.priors)


def test_hypotheses(table, fit):
    found = evaluate_hypothesis(fit, "`x:trained[True]` > 0")
    assert found.posterior_probability == (fit.take("x:trained[True]") > 0).mean()
    assert np.isnan(found.evidence_ratio)
    assert "no evidence ratio" in str(found)
    proper = fit_regression("y ~ x", table, priors={"b": Normal(0, 1)})
    found = evaluate_hypothesis(proper, "2 * x - exp(-1) < sigma / 2")
    assert found.evidence_ratio == pytest.approx(found.posterior_probability / (1 - found.posterior_probability))
    expected = 2 * proper.take("x") - np.exp(-1) - proper.take("sigma") / 2
    assert np.allclose(found.values, expected)
    assert found.draws.dims == ("chain", "draw", "statement")
    assert found.summary()["posterior_probability"].iloc[0] == found.posterior_probability


@pytest.mark.parametrize(
    ("statement", "text"),
    [
        ("x", "statement: expected two expressions around one > or <, got 'x'"),
        ("x = 0", "a point has posterior probability zero"),
        ("x > y > 0", "two expressions around one"),
        ("z > 0", r"statement: expected parameters of the model \(Intercept, x, .*\), got 'z'; put names"),
        ("__import__('os') > 0", "expected numbers, parameters"),
        ("log(x - 10) > 0", "expected expressions that have a value at every draw, got .*, without one at 4000 draws"),
        ("x +  > 0", r"expected numbers, parameters, .*, got 'x \+'"),
    ],
)
def test_statements_that_cannot_be_read(fit, statement, text):
    with pytest.raises(ArgumentError, match=text):
        evaluate_hypothesis(fit, statement)
