import numpy as np
import pandas as pd
import pytest

from selfinterp_stats import ArgumentError


def test_draws_are_labelled(fit):
    draws = fit.draws
    assert draws["slope"].dims == ("chain", "draw", "weight")
    assert draws["intercept"].shape == (1, 1000, 12)
    assert draws["scenario"].to_numpy().tolist() == fit.slopes["scenario"].tolist()
    chosen = draws["slope"].where(draws["attribute"] == fit.slopes["attribute"].iloc[3], drop=True)
    assert np.array_equal(chosen.to_numpy()[0, :, 0], fit.slope_draws[3])


def test_plug_in_by_hand(fit):
    table = fit.plug_in()
    mean = pd.Series(fit.slope_draws.mean(axis=1))
    for (_, scenario), rows in table.groupby(["preferences", "scenario"]):
        own = mean[rows.index]
        assert rows["plug_in"].tolist() == np.round(100 * (own / own.abs().max())).astype(int).tolist(), scenario
        assert rows["plug_in"].abs().max() == 100


def test_summary(fit):
    table = fit.summary(prob=0.5)
    assert len(table) == len(fit.contexts) + len(fit.slopes)
    assert table.attrs["prob"] == 0.5
    assert (table.groupby(["preferences", "scenario"])["slot"].first() == 0).all()
    row = table[table["slot"] == 1].iloc[2]
    draws = fit.slope_draws[fit.slopes.index[(fit.slopes["scenario"] == row["scenario"]) & (fit.slopes["slot"] == 1)][0]]
    assert row["mean"] == pytest.approx(draws.mean())
    assert row["sd"] == pytest.approx(draws.std(ddof=1))
    assert ((draws >= row["hdi_low"]) & (draws <= row["hdi_high"])).mean() == pytest.approx(0.5, abs=0.01)
    with pytest.raises(ArgumentError, match="prob"):
        fit.summary(prob=95)


def test_weights(fit):
    weights = fit.weights(prob=0.9)
    assert weights.prob == 0.9
    assert weights.summary() is weights.table
    assert list(weights.table.columns[-7:]) == [
        "mean", "median", "hdi_low", "hdi_high", "p_direction", "p_largest", "k_hat",
    ]  # fmt: skip
    assert weights.draws.shape == (1, 1000, len(fit.slopes))
    assert "90% HDI" in str(weights)


def test_printed_like_an_r_summary(fit):
    text = str(fit)
    assert repr(fit) == text
    for part in (
        "logit P(chose A) = alpha_s + sum_a beta_sa x_sat",
        "base_model, preferences (2)",
        "12 scenarios, 480 trials",
        "slopes ~ normal(0, 1)",
        "laplace, 1,000 draws a scenario, seed 5",
        "k-hat",
        "Left out:    0 trials",
        "hdi_low",
    ):
        assert part in text


def test_inference_data(fit):
    posterior = fit.to_inference_data().posterior
    assert posterior["slope"].shape == (1, 1000, len(fit.slopes))
