"""The published analysis of an archive, from reading to correlations."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from selfinterp_stats.archive import Archive, read_archive
from selfinterp_stats.choice import ChoiceFit, fit_choices
from selfinterp_stats.correlation import Correlations, TrainingEffects, correlate, estimate_training_effects
from selfinterp_stats.errors import SelfInterpWarning
from selfinterp_stats.weights import Weights

__all__ = ["Reanalysis", "reanalyze"]

Progress = Callable[[str], None]

_CORRELATION_COLUMNS = [
    "base_model",
    "preferences",
    "reporter",
    "reports_kept",
    "scenarios_kept",
    "n_weights",
    "pearson_r",
    "slope_median",
    "slope_hdi_low",
    "slope_hdi_high",
    "cluster_r_low",
    "cluster_r_high",
]
_INSTILLATION_COLUMNS = ["base_model", "n_weights", "pearson_r", "cluster_r_low", "cluster_r_high"]
_WEIGHT_COLUMNS = [
    "base_model",
    "preferences",
    "scenario",
    "slot",
    "attribute",
    "plug_in",
    "mean",
    "median",
    "hdi_low",
    "hdi_high",
    "p_direction",
    "p_largest",
    "target",
    "k_hat",
]
_ATTRITION_COLUMNS = ["stage", "file", "base_model", "preferences", "reporter", "scenario", "kind", "unit", "count"]


@dataclass(frozen=True)
class Reanalysis:
    """Everything that ``selfinterp reanalyze`` writes.

    Attributes
    ----------
    archive : Archive
        What was read, with its warnings.
    fit : ChoiceFit
        The paper's model for every scenario of every base model and kind of preferences.
    weights : Weights
        Used weights, -100 to 100.
    partial : ChoiceFit
        The same decisions with partial pooling.
    weights_partial : Weights
        Used weights of that fit.
    correlations : Correlations
        Used against reported weights.
    instillation : Correlations
        Used against target weights, instilled preferences only.
    training : TrainingEffects
        What introspection training changed.
    """

    archive: Archive
    fit: ChoiceFit
    weights: Weights
    partial: ChoiceFit
    weights_partial: Weights
    correlations: Correlations
    instillation: Correlations
    training: TrainingEffects

    def correlations_table(self) -> pd.DataFrame:
        """Rows of ``correlations.csv``."""
        return self.correlations.table[_CORRELATION_COLUMNS]

    def instillation_table(self) -> pd.DataFrame:
        """Rows of ``instillation.csv``."""
        return self.instillation.table[_INSTILLATION_COLUMNS]

    def contrasts_table(self) -> pd.DataFrame:
        """Rows of ``contrasts.csv``."""
        return self.training.table

    def weights_table(self) -> pd.DataFrame:
        """Rows of ``weights.csv``; target is empty for native preferences, which were never aimed at."""
        return self._add_targets(self.weights, self.fit)

    def weights_partial_table(self) -> pd.DataFrame:
        """Rows of ``weights_partial.csv``, with the columns of ``weights.csv``."""
        return self._add_targets(self.weights_partial, self.partial)

    def population_table(self) -> pd.DataFrame:
        """Rows of ``population.csv``: the hyperparameters of the partially pooled fit."""
        return self.partial.describe_population()

    def _add_targets(self, weights: Weights, fit: ChoiceFit) -> pd.DataFrame:
        keys = ["base_model", "preferences", "scenario", "slot"]
        table = weights.table.merge(fit.plug_in()[[*keys, "plug_in"]], on=keys, how="left")
        targets = self.archive.targets.frame[["scenario", "slot", "target"]].assign(preferences="instilled")
        table = table.merge(targets, on=["preferences", "scenario", "slot"], how="left")
        return table[_WEIGHT_COLUMNS].sort_values(keys, ignore_index=True)

    def attrition_table(self) -> pd.DataFrame:
        """Rows of ``attrition.csv``: findings of the reading, and what was left out of fits and correlations."""
        found = self.archive.problems.counts()
        found = found.assign(stage="reading", unit="findings")
        fitted = self.fit.left_out.rename(columns={"reason": "kind"}).assign(stage="fitting", unit="trials")
        parts = [found, fitted]
        for what, result in (("correlations", self.correlations), ("instillation", self.instillation)):
            parts.append(result.left_out.rename(columns={"reason": "kind"}).assign(stage=what))
        filled = [part.reindex(columns=_ATTRITION_COLUMNS) for part in parts if len(part)]
        if not filled:
            return pd.DataFrame(columns=_ATTRITION_COLUMNS)
        table = pd.concat([part.astype({"count": "int64"}) for part in filled], ignore_index=True)
        return table.sort_values(_ATTRITION_COLUMNS[:-1], ignore_index=True)


def reanalyze(
    source: str | Path | Archive,
    *,
    draws: int = 4000,
    seed: int = 1,
    strict: bool = False,
    progress: Progress | None = None,
) -> Reanalysis:
    """Analyse an archive as the paper did, with the uncertainty it left out beside it.

    Parameters
    ----------
    source : str, pathlib.Path or Archive
        Folder with the trials, or an archive that has been read or simulated.
    draws, seed : int
        Draws for each scenario and correlation, and what makes them repeatable.
    strict : bool
        Whether warnings about the data are raised to errors.
    progress : callable, optional
        Called with a few words when a step begins.

    Returns
    -------
    Reanalysis
        Tables, draws and data; ``write_reanalysis`` makes a folder of it.

    Raises
    ------
    DataError
        With every problem of every file.
    ArgumentError
        If an argument has no usable value, or the archive holds no decision.

    Warns
    -----
    SelfInterpWarning
        If the archive has warnings, or a scenario's draws did not pass their checks.

    Examples
    --------
    >>> result = reanalyze("plunkett-2025")  # doctest: +SKIP
    >>> result.correlations_table()  # doctest: +SKIP
    """

    def say(step: str) -> None:
        if progress is not None:
            progress(step)

    archive = _take_archive(source, strict, say)
    say(f"fitting {len(archive.decisions):,} decisions")
    fit = fit_choices(archive.decisions, archive.scenarios, pooling="none", draws=draws, seed=seed)
    say("fitting them with partial pooling")
    partial = fit_choices(archive.decisions, archive.scenarios, draws=draws, seed=seed)
    say(f"summarising {len(fit.slopes):,} weights")
    weights, weights_partial = fit.weights(), partial.weights()
    say("correlating used with reported and target weights")
    correlations = correlate(fit, archive.reports, draws=draws, seed=seed)
    instillation = correlate(fit, archive.targets, draws=draws, seed=seed).select(preferences="instilled")
    say("contrasting reports before and after introspection training")
    training = estimate_training_effects(correlations, draws=draws, seed=seed)
    return Reanalysis(archive, fit, weights, partial, weights_partial, correlations, instillation, training)


def _take_archive(source: str | Path | Archive, strict: bool, say: Progress) -> Archive:
    if isinstance(source, Archive):
        source.problems.raise_errors(strict=strict)
        return source
    say("reading the archive")
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", SelfInterpWarning)
        archive = read_archive(source, strict=strict)
    for warning in caught:  # again, so that they point to the caller
        warnings.warn(warning.message, warning.category, stacklevel=3)
    return archive
