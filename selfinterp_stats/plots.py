"""Figures. They show what was computed elsewhere and compute nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from selfinterp_stats.correlation import Correlations
from selfinterp_stats.diagnostics import DecisionChecks
from selfinterp_stats.errors import ArgumentError

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["plot_calibration", "plot_correlations", "plot_used_against_reported"]

_COLOURS = {"base": "#7a7a7a", "preference-trained": "#2b6cb0", "introspection-trained": "#c2571a"}
_OTHER_COLOUR = "#2f6f4f"
_CLUSTER_COLOUR = "#111111"
_MOST_COLUMNS = 4
_EDGE = 112.0  # axes end a little beyond the scale, so that points at ±100 are whole


def plot_used_against_reported(correlations: Correlations) -> Figure:
    """Used against reported weights, a panel for each correlation, every point an attribute.

    Parameters
    ----------
    correlations : Correlations
        With at least one row; ``select`` narrows it down to, say, one base model.

    Returns
    -------
    matplotlib.figure.Figure
        Reported weights beyond the scale are drawn at its edge, and their number is given.

    Raises
    ------
    ArgumentError
        If there is no row.
    """
    table = _require_rows(correlations)
    figure = _new_figure(3.1 * len(table) + 0.7, 4.1)
    axes = figure.subplots(1, len(table), sharex=True, sharey=True, squeeze=False)[0]
    for ax, (_, row) in zip(axes, table.iterrows(), strict=True):
        points = correlations.select(**_keys(row)).points
        _draw_panel(ax, points, row, correlations.prob)
    axes[0].set_ylabel("used weight")
    figure.suptitle(_shared_title(table), x=0.01, ha="left", fontsize=10, fontweight="bold", parse_math=False)
    return figure


def plot_correlations(correlations: Correlations) -> Figure:
    """Every correlation with its intervals as bars.

    The thick bar is the HDI of the regression slope on z-scores (the paper's interval), the thin one that of Pearson's r
    under a Bayesian bootstrap over scenarios; the dot is r itself.

    Parameters
    ----------
    correlations : Correlations
        With at least one row.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    ArgumentError
        If there is no row.
    """
    table = _require_rows(correlations)
    figure = _new_figure(7.6, 1.35 + 0.36 * len(table))
    ax = figure.subplots()
    for place, (_, row) in enumerate(table.iterrows()):
        colour = _COLOURS.get(str(row.get("reporter")), _OTHER_COLOUR)
        ax.plot(
            [row["slope_hdi_low"], row["slope_hdi_high"]],
            [place, place],
            color=colour,
            lw=6,
            alpha=0.35,
            solid_capstyle="butt",
        )
        ax.plot(
            [row["cluster_r_low"], row["cluster_r_high"]],
            [place, place],
            color=_CLUSTER_COLOUR,
            lw=1.2,
            solid_capstyle="butt",
        )
        ax.plot(row["pearson_r"], place, "o", color=colour, ms=5.5)
        ax.annotate(
            f"{row['pearson_r']:.2f}", (1.0, place), xycoords=("axes fraction", "data"), xytext=(6, 0),
            textcoords="offset points", va="center", fontsize=8,
        )  # fmt: skip
    names = [", ".join(str(v) for v in _keys(row).values()) for _, row in table.iterrows()]
    ax.set_yticks(range(len(table)), names, fontsize=8, parse_math=False)  # a name may hold dollar signs
    ax.set_ylim(len(table) - 0.4, -0.6)
    ends = table[["slope_hdi_low", "slope_hdi_high", "cluster_r_low", "cluster_r_high", "pearson_r"]].to_numpy()
    ax.set_xlim(min(-0.05, float(np.nanmin(ends, initial=0.0)) - 0.05), max(1.0, float(np.nanmax(ends, initial=1.0))))
    ax.axvline(0.0, color="#999999", lw=0.8)
    ax.set_xlabel(f"correlation with used weights\nthick: {correlations.prob:.0%} HDI of the slope; "
                  f"thin: {correlations.prob:.0%} HDI of r, scenarios resampled", fontsize=8)  # fmt: skip
    _clean(ax)
    return figure


def plot_calibration(checks: DecisionChecks) -> Figure:
    """Predicted probability of A, out of sample, against the share of A among such trials; a panel for each group.

    The line is the isotonic regression, the band where it would lie if predictions were right.

    Parameters
    ----------
    checks : DecisionChecks
        From ``check_decisions``.

    Returns
    -------
    matplotlib.figure.Figure
    """
    table, overall = checks.calibration, checks.overall
    keys = list(table.columns[: list(table.columns).index("predicted")])
    columns = min(len(overall), _MOST_COLUMNS)
    rows = -(-len(overall) // columns)
    figure = _new_figure(2.9 * columns + 0.5, 3.5 * rows + 0.5)
    axes = figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False).ravel()
    for ax, (_, row) in zip(axes, overall.iterrows(), strict=False):
        inside = np.ones(len(table), dtype=bool)
        for key in keys:
            inside &= (table[key] == row[key]).to_numpy()
        curve = table[inside]
        ax.plot([0, 1], [0, 1], color="#999999", lw=0.8, ls=(0, (4, 3)))
        ax.fill_between(curve["predicted"], curve["band_low"], curve["band_high"], color="#2b6cb0", alpha=0.2, lw=0)
        ax.plot(curve["predicted"], curve["share"], color="#2b6cb0", lw=1.4)
        ax.set_xlim(0, 1)
        ax.set_ylim(0, 1)
        ax.set_aspect("equal")
        numbers = f"log loss {row['log_loss_out']:.2f}, miscalibration {row['miscalibration']:.3f}"
        ax.set_title("\n".join([*(str(row[key]) for key in keys), numbers]), fontsize=8, parse_math=False)
        _clean(ax)
    for ax in axes[len(overall) :]:
        ax.set_visible(False)
    figure.supxlabel("predicted probability of A, out of sample", fontsize=8.5)
    figure.supylabel("share of A", fontsize=8.5)
    return figure


def _draw_panel(ax: Axes, points: pd.DataFrame, row: pd.Series[Any], prob: float) -> None:
    reporter = str(row.get("reporter", ""))
    other = points["other"].to_numpy(dtype=np.float64)
    ax.axhline(0, color="#cccccc", lw=0.6, zorder=0)
    ax.axvline(0, color="#cccccc", lw=0.6, zorder=0)
    ax.plot([-100, 100], [-100, 100], color="#999999", lw=0.8, ls=(0, (4, 3)), zorder=1)
    ax.plot(
        np.clip(other, -_EDGE + 4, _EDGE - 4), points["used"], "o", ms=3.4, mec="none", alpha=0.45,
        color=_COLOURS.get(reporter, _OTHER_COLOUR),
    )  # fmt: skip
    ax.set_xlim(-_EDGE, _EDGE)
    ax.set_ylim(-_EDGE, _EDGE)
    ax.set_aspect("equal")
    ax.set_xticks([-100, -50, 0, 50, 100])
    ax.set_yticks([-100, -50, 0, 50, 100])
    interval = f"{prob:.0%} HDI [{row['cluster_r_low']:.2f}, {row['cluster_r_high']:.2f}]"
    ax.set_title(
        f"{reporter}\nr = {row['pearson_r']:.2f}, {interval}, {len(points)} weights".strip(),
        fontsize=8.5,
        parse_math=False,
    )
    ax.set_xlabel("mean reported weight")
    beyond = int((np.abs(other) > 100).sum())
    if beyond:
        ax.annotate(
            f"{beyond} beyond the scale",
            (0.98, 0.02),
            xycoords="axes fraction",
            ha="right",
            fontsize=7,
            color="#a00000",
        )
    _clean(ax)


def _keys(row: pd.Series[Any]) -> dict[str, str]:
    columns = list(row.index)
    return {key: row[key] for key in columns[: columns.index("method")]}


def _shared_title(table: pd.DataFrame) -> str:
    columns = list(table.columns)
    keys = [key for key in columns[: columns.index("method")] if key != "reporter" and table[key].nunique() == 1]
    return ", ".join(f"{table[key].iloc[0]}{' preferences' if key == 'preferences' else ''}" for key in keys)


def _require_rows(correlations: Correlations) -> pd.DataFrame:
    if correlations.table.empty:
        raise ArgumentError(
            "correlations", expected="at least one correlation", got="none", remedy="check what was selected"
        )
    return correlations.table


def _new_figure(width: float, height: float) -> Figure:
    from matplotlib.figure import Figure

    # not through pyplot: no global state, no window
    return Figure(figsize=(width, height), layout="constrained")


def _clean(ax: Axes) -> None:
    ax.spines[["top", "right"]].set_visible(False)
    ax.tick_params(labelsize=8)
    ax.xaxis.label.set_fontsize(8.5)
    ax.yaxis.label.set_fontsize(8.5)
