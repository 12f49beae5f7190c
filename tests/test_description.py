"""Descriptions of draws, by the definitions of bayestestR, on draws of every kind."""

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from selfinterp_stats import ArgumentError, describe_posterior, fit_regression, make_weights

SKEWED = np.random.default_rng(1).gamma(2.0, 1.0, 20_000)


def test_definitions_on_a_skewed_sample():
    found = describe_posterior({"a": SKEWED - 0.5}, centrality="all", ci=0.9, rope_range=(-0.2, 0.3)).iloc[0]
    values = np.sort(SKEWED - 0.5)
    assert found["median"] == pytest.approx(np.median(values))
    assert found["map"] == pytest.approx(0.5, abs=0.1)  # the mode of a gamma(2) is 1
    assert found["p_direction"] == (values > 0).mean()
    size = int(np.floor(0.9 * len(values)))
    widths = values[size:] - values[:-size]
    best = int(np.argmin(widths))
    assert found["hdi_low"] == pytest.approx(values[best], abs=0.02)
    assert found["hdi_high"] == pytest.approx(values[best + size], abs=0.02)
    tails = describe_posterior({"a": SKEWED - 0.5}, ci=0.9, ci_method="eti").iloc[0]
    assert tails["eti_low"] == pytest.approx(np.quantile(values, 0.05))
    assert tails["eti_low"] > found["hdi_low"] + 0.1
    # the share of the 95% HDI, not of all draws
    size = int(np.floor(0.95 * len(values)))
    best = int(np.argmin(values[size:] - values[:-size]))
    inside = values[best : best + size + 1]
    assert found["rope_percentage"] == pytest.approx(((inside >= -0.2) & (inside <= 0.3)).mean(), abs=0.002)
    assert (found["rope_low"], found["rope_high"]) == (-0.2, 0.3)


def test_one_row_for_each_probability():
    found = describe_posterior({"a": SKEWED, "b": SKEWED}, ci=(0.5, 0.95), test=None)
    assert found[["parameter", "ci"]].values.tolist() == [["a", 0.5], ["a", 0.95], ["b", 0.5], ["b", 0.95]]
    assert "p_direction" not in found
    assert "rope_percentage" not in found


def test_default_rope_of_a_regression_is_echoed():
    rng = np.random.default_rng(1)
    table = pd.DataFrame({"x": rng.standard_normal(50), "y": 5.0 * rng.standard_normal(50)})
    found = describe_posterior(fit_regression("y ~ x", table))
    assert found["parameter"].tolist() == ["Intercept", "x", "sigma"]
    assert found["rope_high"].iloc[0] == pytest.approx(0.1 * table["y"].std())


def test_every_kind_of_draws():
    array = xr.DataArray(SKEWED[:400].reshape(2, 100, 2), dims=("chain", "draw", "k"), coords={"k": ["u", "v"]}, name="b")
    dataset = array.to_dataset()
    tree = xr.DataTree.from_dict({"/posterior": dataset})
    first = np.median(array.sel(k="u"))
    for draws in (array, dataset, tree):
        found = describe_posterior(draws)
        assert found["parameter"].tolist() == ["b[u]", "b[v]"]
        assert found["median"].iloc[0] == first
    assert describe_posterior(SKEWED)["parameter"].tolist() == ["draws"]
    assert describe_posterior(pd.DataFrame({"draws": SKEWED}))["parameter"].tolist() == ["draws"]
    everything = describe_posterior({"a": SKEWED}, rope_ci=1, rope_range=(0.0, 1.0)).iloc[0]
    assert everything["rope_percentage"] == (SKEWED <= 1.0).mean()


def test_weights():
    index = pd.DataFrame({"scenario": ["s"] * 2, "slot": [1, 2], "attribute": ["price", "size"], "context": 0})
    slopes = np.random.default_rng(1).normal(np.array([[2.0], [0.5]]), 1.0, (2, 500))
    weights = make_weights(slopes, index)
    found = describe_posterior(weights)
    assert found["parameter"].tolist() == ["weight[s, 1, price]", "weight[s, 2, size]"]
    assert np.allclose(found["hdi_low"], weights.table["hdi_low"])


@pytest.mark.parametrize(
    ("draws", "settings", "text"),
    [
        ([1, 2], {}, "draws: expected a fit, ArviZ or xarray draws, .*, got list; name the parameters"),
        (np.zeros((2, 3)), {}, r"got an array of shape \(2, 3\)"),
        ({"a": [np.nan, 1.0]}, {}, "draws: expected finite draws, got 2 draws of a, 1 of them missing or infinite"),
        (xr.DataArray(np.zeros(3), dims="row"), {}, "expected a dimension among chain, draw, sample"),
        ({"a": SKEWED}, {"rope_range": (1, 0)}, r"rope_range: expected two numbers, the lower first, got \(1, 0\)"),
        ({"a": SKEWED}, {"test": "bf"}, "test: expected one of 'p_direction', 'rope', got 'bf'"),
        ({"a": SKEWED}, {"ci": 1.2}, "ci: expected a number from 0.01 to 0.999, got 1.2"),
        ({"a": SKEWED}, {"ci": None}, "ci: expected a number"),
        ({"a": SKEWED}, {"rope_range": ("a", 1)}, "rope_range: expected two numbers"),
        ({"a": ["x"]}, {}, "draws: expected numbers in a"),
    ],
)
def test_what_cannot_be_described(draws, settings, text):
    with pytest.raises(ArgumentError, match=text):
        describe_posterior(draws, **settings)
