"""A simulated experiment of the published study's size, analysed as an archive is, with the truth beside the estimates."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from selfinterp_stats.agents import (
    Agent,
    Experiment,
    GaussianNoise,
    LogitDecider,
    Reporter,
    StudentNoise,
    simulate_experiment,
)
from selfinterp_stats.report import Reanalysis, reanalyze
from selfinterp_stats.report.text import align_columns

__all__ = ["Demo", "describe_demo", "run_demo"]

_KEYS = ["base_model", "preferences", "reporter"]

# The large model reports steadily; the small one is noisier, sometimes far off, and does not always answer.
_AGENTS = (
    Agent(
        "simulated-large",
        LogitDecider(consistency=6.0, position_bias=0.2),
        reporters={
            "base": Reporter(association=0.1),
            "preference-trained": Reporter(association=0.55),
            "introspection-trained": Reporter(association=0.75),
        },
    ),
    Agent(
        "simulated-small",
        LogitDecider(consistency=4.0, position_bias=-0.5),
        instillation_noise=30.0,
        reporters={
            "base": Reporter(association=0.0, noise=GaussianNoise(25.0)),
            "preference-trained": Reporter(
                association=0.5, noise=StudentNoise(15.0), rounding=10.0, refusal_rate=0.2, missing_rate=0.1
            ),
            "introspection-trained": Reporter(association=0.7, noise=StudentNoise(10.0), unusable_rate=0.05),
        },
    ),
)


@dataclass(frozen=True)
class Demo:
    """What ``selfinterp demo`` shows.

    Attributes
    ----------
    experiment : Experiment
        The simulated archive and its truth.
    result : Reanalysis
        The analysis of the archive.
    """

    experiment: Experiment
    result: Reanalysis

    def compare_correlations(self) -> pd.DataFrame:
        """Estimated and true report accuracy.

        Returns
        -------
        pandas.DataFrame
            One row for each reporter: ``base_model, preferences, reporter, n_weights, true_r`` (true used weights with
            noise-free reports), ``true_r_replies`` (with expected replies), ``pearson_r, cluster_r_low, cluster_r_high,
            slope_median, slope_hdi_low, slope_hdi_high``.
        """
        truth = self.experiment.truth.query("measure == 'pearson'")[[*_KEYS, "noise_free", "expected_reply"]]
        truth = truth.rename(columns={"noise_free": "true_r", "expected_reply": "true_r_replies"})
        table = self.result.correlations_table().merge(truth, on=_KEYS, how="left")
        estimates = ["pearson_r", "cluster_r_low", "cluster_r_high", "slope_median", "slope_hdi_low", "slope_hdi_high"]
        return table[[*_KEYS, "n_weights", "true_r", "true_r_replies", *estimates]]

    def compare_weights(self) -> pd.DataFrame:
        """Estimated and true used weights, summed up.

        Returns
        -------
        pandas.DataFrame
            One row for each base model and kind of preferences: ``base_model, preferences, n_weights, r`` (of the plug-in
            weights with the true ones), ``rms_error`` (of the plug-in weights, in points) and ``hdi_coverage`` (share of
            HDIs that hold the true weight).
        """
        keys = ["base_model", "preferences", "scenario", "slot"]
        table = self.result.weights_table().merge(self.experiment.weights[[*keys, "used"]], on=keys)
        rows = []
        for (model, preferences), group in table.groupby(["base_model", "preferences"]):
            held = (group["hdi_low"] <= group["used"]) & (group["used"] <= group["hdi_high"])
            rows.append(
                {
                    "base_model": model,
                    "preferences": preferences,
                    "n_weights": len(group),
                    "r": group["plug_in"].corr(group["used"]),
                    "rms_error": float(np.sqrt(np.square(group["plug_in"] - group["used"]).mean())),
                    "hdi_coverage": float(held.mean()),
                }
            )
        return pd.DataFrame(rows)

    def write_truth(self, folder: Path) -> None:
        """Write trials, truth and the comparison into a folder that is there."""
        self.experiment.write_into(folder)
        self.compare_correlations().to_csv(
            folder / "estimates_and_truth.csv", index=False, float_format="%.6g", lineterminator="\n"
        )


def run_demo(*, draws: int = 4000, seed: int = 1, progress: Callable[[str], None] | None = None) -> Demo:
    """Simulate an experiment of the published study's size and analyse it.

    Two base models decide in 100 scenarios with instilled and 100 with native preferences, all of them bundled, and report
    at three stages of training.

    Parameters
    ----------
    draws : int
        Posterior draws for each scenario.
    seed : int
        Seed of the simulation and of the analysis.
    progress : callable, optional
        Called with a few words when a step begins.

    Returns
    -------
    Demo
        Experiment and result.

    Raises
    ------
    ArgumentError
        If an argument has no usable value.

    Examples
    --------
    >>> demo = run_demo(seed=1)  # doctest: +SKIP
    >>> demo.compare_correlations()  # doctest: +SKIP
    """
    if progress is not None:
        progress("simulating an experiment")
    experiment = simulate_experiment(agents=_AGENTS, seed=seed)
    return Demo(experiment, reanalyze(experiment.archive, draws=draws, seed=seed, progress=progress))


def describe_demo(demo: Demo) -> str:
    """Estimates and truth side by side, as text."""
    table = demo.compare_correlations()
    shown = pd.DataFrame(
        {
            "base model": table["base_model"],
            "preferences": table["preferences"],
            "reports of": table["reporter"],
            "true r": table["true_r"].map("{:.2f}".format),
            "estimate": table["pearson_r"].map("{:.2f}".format),
            "scenarios resampled, 95% HDI": _intervals(table, "cluster_r_low", "cluster_r_high"),
            "slope": table["slope_median"].map("{:.2f}".format),
            "95% HDI": _intervals(table, "slope_hdi_low", "slope_hdi_high"),
        }
    )
    lines = ["Used against reported weights: the published estimator beside the truth", align_columns(shown)]
    for row in demo.compare_weights().itertuples(index=False):
        lines.append(
            f"Used weights, {row.base_model}, {row.preferences}: r = {row.r:.2f} with the true ones, rms error "
            f"{row.rms_error:.0f} points, {row.hdi_coverage:.0%} of 95% HDIs hold the truth"
        )
    lines.append("The published estimator allows for noise on neither side, so that its r tends towards zero.")
    return "\n".join(lines)


def _intervals(table: pd.DataFrame, low: str, high: str) -> list[str]:
    return [f"[{lo:.2f}, {hi:.2f}]" for lo, hi in table[[low, high]].itertuples(index=False)]
