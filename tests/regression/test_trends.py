"""Slopes by level and their contrasts, against sums of coefficients written out by hand."""

import numpy as np
import pandas as pd
import pytest

from selfinterp_stats import ArgumentError, estimate_trends, fit_regression


@pytest.fixture(scope="module")
def fit():
    rng = np.random.default_rng(1)
    n = 300
    table = pd.DataFrame(
        {
            "x": rng.normal(3.0, 1.0, n),
            "other": rng.normal(-2.0, 1.0, n),
            "trained": rng.random(n) < 0.5,
            "model": rng.choice(["a", "b", "c"], n, p=[0.6, 0.3, 0.1]),
        }
    )
    table["y"] = table["x"] * (0.5 + 0.3 * table["trained"] + 0.4 * (table["model"] == "b")) + rng.standard_normal(n)
    return fit_regression("y ~ x * trained * model + other", table)


def slope(fit, trained, model):
    total = fit.take("x").copy()
    if trained:
        total += fit.take("x:trained[True]")
    if model != "a":
        total += fit.take(f"x:model[{model}]")
        if trained:
            total += fit.take(f"x:trained[True]:model[{model}]")
    return total


def test_equal_weights(fit):
    found = estimate_trends(fit, "x", by="trained", over="model")
    for row, trained in enumerate((False, True)):
        expected = np.mean([slope(fit, trained, model) for model in "abc"], axis=0)
        assert np.allclose(found.values[row], expected)
    contrast = found.contrast("revpairwise")
    assert contrast.index["contrast"].tolist() == ["True - False"]
    assert np.allclose(contrast.values[0], found.values[1] - found.values[0])
    assert np.allclose(found.contrast("pairwise").values, -contrast.values)


def test_intervals_are_of_the_differences(fit):
    """The interval of a difference is not the difference of intervals."""
    found = estimate_trends(fit, "x", by="trained")
    ends = found.summary()
    contrast = found.contrast().summary().iloc[0]
    width = contrast["hdi_high"] - contrast["hdi_low"]
    assert width < (ends["hdi_high"] - ends["hdi_low"]).sum()
    low, high = np.sort(found.values[1] - found.values[0])[[100, -100]]
    assert contrast["hdi_low"] == pytest.approx(low, abs=0.05)
    assert contrast["hdi_high"] == pytest.approx(high, abs=0.05)


def test_proportional_weights(fit):
    share = fit.design.data["model"].value_counts(normalize=True)
    found = estimate_trends(fit, "x", by="trained", over="model", weights="proportional")
    expected = sum(share[model] * slope(fit, True, model) for model in "abc")
    assert np.allclose(found.values[1], expected)


def test_several_factors_and_none(fit):
    found = estimate_trends(fit, "x", by=["model", "trained"])
    assert found.index.shape == (6, 2)
    assert np.allclose(found.values[3], slope(fit, True, "b"))
    assert len(found.contrast().values) == 15
    assert found.contrast(between=("b True", "a False")).index["contrast"].tolist() == ["b True - a False"]
    alone = estimate_trends(fit, "other")
    assert np.allclose(alone.values[0], fit.take("other"))
    assert found.draws.dims == ("chain", "draw", "row")
    assert "averaged over" in str(alone)


def test_a_curve_has_the_slope_at_its_mean():
    rng = np.random.default_rng(2)
    x = rng.normal(1.0, 1.0, 400)
    fit = fit_regression("y ~ x + I(x ** 2)", pd.DataFrame({"x": x, "y": x**2 + 0.1 * rng.standard_normal(400)}))
    assert estimate_trends(fit, "x").values[0].mean() == pytest.approx(2.0 * x.mean(), abs=0.05)


@pytest.mark.parametrize(
    ("settings", "text"),
    [
        ({"variable": "z"}, r"variable: expected a numeric variable of the model \(x, other\), got 'z'"),
        ({"variable": "model"}, "variable: expected a numeric variable"),
        ({"by": "x"}, r"by: expected factors of the model \(trained, model\), got 'x'"),
        ({"by": "model", "over": "model"}, r"over: expected other factors of the model \(trained\), got 'model'"),
        ({"weights": "cells"}, "weights: expected one of 'equal', 'proportional'"),
    ],
)
def test_names_that_are_not_there(fit, settings, text):
    with pytest.raises(ArgumentError, match=text):
        estimate_trends(fit, **{"variable": "x", **settings})


def test_contrasts_that_are_not_there(fit):
    with pytest.raises(ArgumentError, match="between: expected two levels, got"):
        estimate_trends(fit, "x", by="trained").contrast(between=(True,))
    with pytest.raises(ArgumentError, match="between: expected two of the levels False, True, got 'maybe'; see .index"):
        estimate_trends(fit, "x", by="trained").contrast(between=(True, "maybe"))
    with pytest.raises(ArgumentError, match="method: expected at least two slopes to contrast, got one"):
        estimate_trends(fit, "x").contrast()
