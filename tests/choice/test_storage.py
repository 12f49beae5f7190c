import numpy as np
import pandas as pd
import pytest
import xarray as xr

from selfinterp_stats import ArgumentError, ChoicePriors, Decisions, Normal, fit_choices, read_fit
from selfinterp_stats.containers import write_groups


def test_round_trip(fit, tmp_path):
    fit.to_netcdf(tmp_path / "fit.nc")
    again = read_fit(tmp_path / "fit.nc")
    assert again.spec == fit.spec
    assert np.array_equal(again.slope_draws, fit.slope_draws)
    assert np.array_equal(again.intercept_draws, fit.intercept_draws)
    for name in ("contexts", "slopes", "left_out"):
        pd.testing.assert_frame_equal(getattr(again, name), getattr(fit, name), check_dtype=False)
    pd.testing.assert_frame_equal(again.scenarios.frame, fit.scenarios.frame, check_dtype=False)
    pd.testing.assert_frame_equal(again.decisions.frame, fit.decisions.frame, check_dtype=False)
    assert str(again) == str(fit)
    pd.testing.assert_frame_equal(again.weights().table, fit.weights().table, check_dtype=False)


def test_odd_conditions_and_priors_survive(archive, tmp_path):
    frame = archive.decisions.frame.assign(**{"ä b, c": ["x", None] * (len(archive.decisions) // 2), "t": 0.7})
    decisions = Decisions(frame, ("ä b, c", "t"))
    priors = ChoicePriors(slopes=Normal(0, 2))
    fit = fit_choices(decisions, archive.scenarios, pooling="none", by=["ä b, c"], priors=priors, draws=100)
    fit.to_netcdf(tmp_path / "fit.nc", dtype="float32")
    again = read_fit(tmp_path / "fit.nc")
    assert again.decisions.conditions == ("ä b, c", "t")
    assert again.decisions.frame["ä b, c"].isna().sum() == len(frame) // 2
    assert again.spec.priors == priors
    assert again.left_out["count"].sum() == len(frame) // 2
    assert np.allclose(again.slope_draws, fit.slope_draws, rtol=1e-6)


def test_arviz_reads_it(fit, tmp_path):
    import arviz

    fit.to_netcdf(tmp_path / "fit.nc")
    data = arviz.from_netcdf(tmp_path / "fit.nc")
    assert data.posterior["slope"].shape == (1, 1000, len(fit.slopes))


def test_refusals(fit, tmp_path):
    fit.to_netcdf(tmp_path / "fit.nc")
    with pytest.raises(ArgumentError, match="does not exist yet"):
        fit.to_netcdf(tmp_path / "fit.nc")
    with pytest.raises(ArgumentError, match="dtype: expected one of 'float64', 'float32'"):
        fit.to_netcdf(tmp_path / "other.nc", dtype="int8")
    write_groups(tmp_path / "foreign.nc", {"posterior": xr.Dataset()}, {})
    with pytest.raises(ArgumentError, match="which is none"):
        read_fit(tmp_path / "foreign.nc")
    attributes = {"format": "selfinterp-choice-fit", "version": "99"}
    write_groups(tmp_path / "newer.nc", {"posterior": xr.Dataset()}, attributes)
    with pytest.raises(ArgumentError, match="install a newer selfinterp-stats"):
        read_fit(tmp_path / "newer.nc")
