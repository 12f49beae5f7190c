"""Figures show the numbers of the tables, and names as they are written."""

import numpy as np
import pytest

from selfinterp_stats import ArgumentError, Reports, correlate, plot_correlations, plot_used_against_reported


@pytest.fixture(scope="module")
def correlations(fit, archive):
    return correlate(fit, archive.reports)


def test_every_point_is_an_attribute(correlations):
    figure = plot_used_against_reported(correlations.select(preferences="native"))
    assert len(figure.axes) == 3
    for ax, (_, row) in zip(figure.axes, correlations.select(preferences="native").table.iterrows(), strict=True):
        dots = ax.lines[-1]
        assert len(dots.get_xdata()) == row["n_weights"]
        title = ax.get_title()
        assert row["reporter"] in title
        assert f"r = {row['pearson_r']:.2f}, 95% HDI [{row['cluster_r_low']:.2f}" in title


def test_points_beyond_the_scale_are_counted(fit, archive):
    frame = archive.reports.frame.query("reporter == 'base'").copy()
    frame.loc[frame.index[:1], "report"] = 9000.0
    preferences = frame["preferences"].iloc[0]
    figure = plot_used_against_reported(correlate(fit, Reports(frame)).select(preferences=preferences))
    assert [t.get_text() for t in figure.axes[0].texts] == ["1 beyond the scale"]
    assert np.abs(figure.axes[0].lines[-1].get_xdata()).max() < 112


def test_bars_are_the_intervals(correlations):
    (ax,) = plot_correlations(correlations).axes
    table = correlations.table
    bars = [line for line in ax.lines if len(line.get_xdata()) == 2 and line.get_linewidth() > 5]
    assert np.allclose([b.get_xdata() for b in bars], table[["slope_hdi_low", "slope_hdi_high"]])
    assert len(ax.get_yticklabels()) == len(table)


def test_names_with_dollar_signs_are_drawn(correlations, tmp_path):
    from dataclasses import replace

    odd = {"base_model": "a$\\foo_{$b"}
    renamed = replace(correlations, table=correlations.table.assign(**odd), points=correlations.points.assign(**odd))
    for figure in (plot_correlations(renamed), plot_used_against_reported(renamed.select(preferences="native"))):
        figure.savefig(tmp_path / "odd.png")


def test_unidentified_correlations_can_be_drawn(fit, archive, tmp_path):
    constant = Reports(archive.reports.frame.query("reporter == 'base'").assign(report=1.0))
    found = correlate(fit, constant)
    plot_correlations(found).savefig(tmp_path / "a.png")
    plot_used_against_reported(found).savefig(tmp_path / "b.png")


def test_nothing_to_draw(correlations):
    for plot in (plot_correlations, plot_used_against_reported):
        with pytest.raises(ArgumentError, match="at least one correlation"):
            plot(correlations.select(preferences="none such"))


def test_no_global_state(correlations):
    import matplotlib as mpl

    before = dict(mpl.rcParams)
    plot_correlations(correlations)
    assert dict(mpl.rcParams) == before
