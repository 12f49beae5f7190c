"""The published analysis of an archive, from reading to correlations."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd

from selfinterp_stats.archive import Archive, read_archive
from selfinterp_stats.choice import ChoiceFit, fit_choices
from selfinterp_stats.correlation import (
    ConditionComparison,
    Correlations,
    TrainingEffects,
    compare_conditions,
    correlate,
    estimate_training_effects,
)
from selfinterp_stats.diagnostics import DecisionChecks, check_decisions
from selfinterp_stats.errors import ArgumentError, SelfInterpWarning
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
    "verdict",
]
_GROUPS = ("base_model", "preferences")
_REPLICATIONS = 1  # simulated sets of answers behind expected counts
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
    checks : DecisionChecks
        The partially pooled model held against the decisions.
    by : str, optional
        Column of the decisions whose values, the conditions, are kept apart in all of these.
    comparison : ConditionComparison, optional
        Used weights compared between them.
    """

    archive: Archive
    fit: ChoiceFit
    weights: Weights
    partial: ChoiceFit
    weights_partial: Weights
    correlations: Correlations
    instillation: Correlations
    training: TrainingEffects
    checks: DecisionChecks
    by: str | None = None
    comparison: ConditionComparison | None = None

    def correlations_table(self) -> pd.DataFrame:
        """Rows of ``correlations.csv``."""
        return self._choose(self.correlations.table, _CORRELATION_COLUMNS)

    def instillation_table(self) -> pd.DataFrame:
        """Rows of ``instillation.csv``."""
        return self._choose(self.instillation.table, _INSTILLATION_COLUMNS)

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
        return self._rename(self.partial.describe_population())

    def checks_table(self) -> pd.DataFrame:
        """Rows of ``checks.csv``: every scenario with its verdict and what it rests on."""
        return self._rename(self.checks.contexts)

    def check_counts_table(self) -> pd.DataFrame:
        """Rows of ``check_counts.csv``: scenarios of a kind, found and expected under a null."""
        return self._rename(self.checks.counts)

    def calibration_table(self) -> pd.DataFrame:
        """Rows of ``calibration.csv``: predicted probability of A against the share of A."""
        return self._rename(self.checks.calibration)

    def conditions_table(self) -> pd.DataFrame | None:
        """Rows of ``conditions.csv``; None where conditions are not kept apart."""
        return None if self.comparison is None else self.comparison.table

    def _rename(self, table: pd.DataFrame) -> pd.DataFrame:
        return table if self.by is None else table.rename(columns={self.by: "condition"})

    def _choose(self, table: pd.DataFrame, columns: list[str]) -> pd.DataFrame:
        """Some columns, and after the groups the condition, if there is one."""
        if self.by is None:
            return table[columns]
        place = max(i for i, name in enumerate(columns) if name in _GROUPS) + 1
        return table.rename(columns={self.by: "condition"})[[*columns[:place], "condition", *columns[place:]]]

    def _add_targets(self, weights: Weights, fit: ChoiceFit) -> pd.DataFrame:
        keys = [*fit.spec.by, "scenario", "slot"]
        table = weights.table.merge(fit.plug_in()[[*keys, "plug_in"]], on=keys, how="left")
        targets = self.archive.targets.frame[["scenario", "slot", "target"]].assign(preferences="instilled")
        table = table.merge(targets, on=["preferences", "scenario", "slot"], how="left")
        verdicts = self.checks.contexts[[*fit.spec.by, "scenario", "verdict"]]
        table = table.merge(verdicts, on=[*fit.spec.by, "scenario"], how="left")
        return self._choose(table.sort_values(keys, ignore_index=True), _WEIGHT_COLUMNS)

    def attrition_table(self) -> pd.DataFrame:
        """Rows of ``attrition.csv``: findings of the reading, and what was left out of fits and correlations."""
        found = self.archive.problems.counts()
        found = found.assign(stage="reading", unit="findings")
        fitted = self.fit.left_out.rename(columns={"reason": "kind"}).assign(stage="fitting", unit="trials")
        parts = [found, fitted]
        for what, result in (("correlations", self.correlations), ("instillation", self.instillation)):
            parts.append(result.left_out.rename(columns={"reason": "kind"}).assign(stage=what))
        columns = [*_ATTRITION_COLUMNS, *([] if self.by is None else [self.by])]
        filled = [part.reindex(columns=columns) for part in parts if len(part)]
        if not filled:
            return self._choose(pd.DataFrame(columns=columns), _ATTRITION_COLUMNS)
        table = pd.concat([part.astype({"count": "int64"}) for part in filled], ignore_index=True)
        order = [name for name in columns if name != "count"]
        return self._choose(table.sort_values(order, ignore_index=True), _ATTRITION_COLUMNS)


def reanalyze(
    source: str | Path | Archive,
    *,
    by: str | None = None,
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
    by : str, optional
        Condition column of the decisions, such as a trigger in the prompt. Everything is then done condition by condition,
        tables get a column ``condition``, and used weights are compared between conditions (``compare_conditions``).
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
    groups = _find_groups(archive, by)
    comparison = None
    if by is not None:
        say(f"comparing weights between values of {by}")
        comparison = compare_conditions(archive.decisions, archive.scenarios, by, draws=draws, seed=seed)
    say(f"fitting {len(archive.decisions):,} decisions")
    fit = fit_choices(archive.decisions, archive.scenarios, by=groups, pooling="none", draws=draws, seed=seed)
    say("fitting them with partial pooling")
    partial = fit_choices(archive.decisions, archive.scenarios, by=groups, draws=draws, seed=seed)
    say(f"summarising {len(fit.slopes):,} weights")
    weights, weights_partial = fit.weights(), partial.weights()
    say("correlating used with reported and target weights")
    correlations = correlate(fit, archive.reports, draws=draws, seed=seed)
    instillation = correlate(fit, archive.targets, draws=draws, seed=seed).select(preferences="instilled")
    say("contrasting reports before and after introspection training")
    training = _contrast(correlations, by, draws, seed)
    say("holding the model against the decisions")
    checks = check_decisions(partial, targets=archive.targets, replications=_REPLICATIONS)
    return Reanalysis(
        archive=archive,
        fit=fit,
        weights=weights,
        partial=partial,
        weights_partial=weights_partial,
        correlations=correlations,
        instillation=instillation,
        training=training,
        checks=checks,
        by=by,
        comparison=comparison,
    )


def _find_groups(archive: Archive, by: str | None) -> tuple[str, ...]:
    if by is None:
        return _GROUPS
    known = archive.decisions.conditions
    if by not in known:
        raise ArgumentError(
            "by",
            expected=f"a condition column of the decisions ({', '.join(known) or 'these trials have none'})",
            got=repr(by),
            remedy="leave it out, or add the column to the files with the decisions",
        )
    return (*_GROUPS, by)


def _contrast(correlations: Correlations, by: str | None, draws: int, seed: int) -> TrainingEffects:
    """Effects of training, under each condition by itself where these are kept apart."""
    if by is None:
        return estimate_training_effects(correlations, draws=draws, seed=seed)
    tables, values, notes = [], [], []
    for condition in correlations.table[by].unique():
        chosen = correlations.select(**{by: condition})
        chosen = replace(chosen, points=chosen.points.drop(columns=by))
        found = estimate_training_effects(chosen, draws=draws, seed=seed)
        tables.append(found.table.assign(condition=condition))
        values.append(found.values)
        notes += [f"{condition}: {note}" for note in found.notes]
    if not tables:
        empty = replace(correlations, points=correlations.points.drop(columns=by))
        found = estimate_training_effects(empty, draws=draws, seed=seed)
        return replace(found, table=found.table.assign(condition=""))
    return TrainingEffects(pd.concat(tables, ignore_index=True), np.concatenate(values), found.prob, tuple(notes))


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
