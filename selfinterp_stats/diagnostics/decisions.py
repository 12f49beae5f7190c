"""Are the decisions what the model says they are? Scenario by scenario, overall, and beside what chance would give."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from selfinterp_stats.choice import ChoiceFit
from selfinterp_stats.choice.design import Design, build_design
from selfinterp_stats.diagnostics.heldout import HeldOut, check_normal, hold_out, predict_fitted, spread_draws
from selfinterp_stats.diagnostics.nulls import count_beside_nulls, find_kinds
from selfinterp_stats.diagnostics.pull import describe_pull
from selfinterp_stats.diagnostics.reliability import Reliability, find_reliability
from selfinterp_stats.diagnostics.verdicts import VERDICTS, find_log_scores, give_verdicts, is_separated
from selfinterp_stats.errors import ArgumentError, SelfInterpWarning, check_range
from selfinterp_stats.seeding import make_generator
from selfinterp_stats.summaries import check_probability
from selfinterp_stats.tables import Targets

__all__ = ["DecisionChecks", "check_decisions"]

Floats = NDArray[np.float64]

_DRAWS, _FEWER_DRAWS = 500, 200  # points of the posterior that a prediction is averaged over, of simulated answers fewer
_SCORES = ["hit_rate", "hit_rate_out", "log_loss", "log_loss_out"]


@dataclass(frozen=True)
class DecisionChecks:
    """How well a choice model describes the decisions.

    "Out of sample" is by cross-validation within scenarios, every fold predicted from the others. Log losses are in nats
    a trial (a coin has 0.693); hit rates are shares of trials whose answer was given more than even odds.

    Attributes
    ----------
    contexts : pandas.DataFrame
        One row for each scenario of each group: the grouping columns, ``scenario, n_trials, share_a, hit_rate,
        hit_rate_out, log_loss, log_loss_out, target_agreement`` (share of trials that chose what target weights prefer;
        NaN without targets), ``elpd_coin, elpd_place, elpd_options`` (sums over trials, out of sample), ``separated``,
        ``consistency_median, consistency_hdi_low, consistency_hdi_high, weight_width, consistency_pull, width_pull`` and
        ``verdict``.
    overall : pandas.DataFrame
        One row for each group: the grouping columns, ``n_scenarios, n_trials, share_a``, the same scores over all trials,
        ``target_agreement, brier_out, miscalibration, discrimination, uncertainty``.
    counts : pandas.DataFrame
        Scenarios of a kind, counted, beside what a null would give: the grouping columns, ``kind, null, found, expected,
        n_scenarios``.
    calibration : pandas.DataFrame
        Predicted probability of A, out of sample, against the share of A among such trials (PAVA): the grouping columns,
        ``predicted, share, band_low, band_high``.
    prob : float
        Probability of all intervals.
    threshold : float
        Nats that a verdict needs.
    """

    contexts: pd.DataFrame
    overall: pd.DataFrame
    counts: pd.DataFrame
    calibration: pd.DataFrame
    prob: float
    threshold: float

    def summary(self) -> pd.DataFrame:
        """The table of scenarios."""
        return self.contexts

    def select(self, *verdicts: str) -> pd.DataFrame:
        """Scenarios with one of these verdicts, as ``correlate`` takes them: grouping columns, ``scenario, verdict``.

        Raises
        ------
        ArgumentError
            If there is no such verdict.

        Examples
        --------
        >>> checks.select("position-locked", "at chance")  # doctest: +SKIP
        """
        from selfinterp_stats.errors import check_choice

        for verdict in verdicts:
            check_choice("verdicts", verdict, VERDICTS)
        last = list(self.contexts.columns).index("scenario") + 1
        chosen = self.contexts[self.contexts["verdict"].isin(verdicts)]
        return chosen[[*self.contexts.columns[:last], "verdict"]].reset_index(drop=True)

    def __str__(self) -> str:
        return "\n".join(
            [
                "Decisions against the choice model",
                self.overall.round(3).to_string(index=False),
                "",
                "Scenarios of a kind, found and expected under a null",
                self.counts.round(1).to_string(index=False),
            ]
        )

    __repr__ = __str__


def check_decisions(
    fit: ChoiceFit,
    *,
    targets: Targets | None = None,
    cv: Any = 5,
    threshold: float = 4.0,
    replications: int = 4,
    prob: float = 0.95,
) -> DecisionChecks:
    """Hold a fitted choice model against its decisions, those that it was fitted to and others.

    A scenario's verdict says what its answers can be told from. Three descriptions predict every fold of its trials from
    the others: a coin; the place alone (its share of A); the options and the place (the model). ``identified``: the
    options predict better by `threshold` nats than both others; ``separated``: so they do, and without a single
    exception, so that the data bound the slopes from below only; ``position-locked``: the place is better than a coin by
    `threshold`, and the options are not better than the place by as much; ``undecided``: the options are better than a
    coin by as much, but neither are they than the place, nor is the place than a coin; ``at chance``: nothing is better
    than a coin by as much. No scenario is left out for its verdict.

    What separation does to intervals: the consistency (largest absolute slope) has the prior's upper end, as
    ``consistency_pull`` shows, while normalised weights remain bounded by the data.

    Parameters
    ----------
    fit : ChoiceFit
        From ``fit_choices``, of choices, with plain normal priors.
    targets : Targets, optional
        What the decisions were trained to follow. Those whose ``preferences`` are native are not held against it.
    cv : int or splitter
        Number of folds, or a splitter of scikit-learn without groups; its folds are drawn within each scenario. Scenarios
        with fewer trials than folds are split trial by trial.
    threshold : float
        Nats (differences of expected log predictive density) that a verdict needs.
    replications : int
        Simulated sets of answers behind each expected count; 0 leaves out all counts that need cross-validation.
    prob : float
        Probability of the intervals.

    Returns
    -------
    DecisionChecks

    Raises
    ------
    ArgumentError
        If an argument has no usable value.

    Warns
    -----
    SelfInterpWarning
        If a scenario has a single trial, which nothing can predict.

    Notes
    -----
    ``weight_width`` is the mean width of the intervals of the scenario's normalised weights, in points. The pulls are
    relative changes of the geometric mean of consistency, and of the weights' posterior standard deviations, if the prior
    of the scenario's coefficients had twice the precision, extrapolated from derivatives by the logarithm of the prior's
    power, which are covariances with the log prior (Kallioinen, Paananen, Bürkner and Vehtari, 2024, "Detecting and
    diagnosing prior and likelihood sensitivity with power-scaling", Statistics and Computing 34).

    Calibration follows Dimitriadis, Gneiting and Jordan (2021), "Stable reliability diagrams for probabilistic
    classifiers", PNAS 118: isotonic regression of answers on predictions; ``miscalibration``, ``discrimination`` and
    ``uncertainty`` are their parts of the Brier score, which is the first less the second plus the third. Bands hold the
    curve of 95% (`prob`) of replications in which predictions are right.

    Examples
    --------
    >>> from selfinterp_stats import fit_choices, load_scenarios, simulate_experiment
    >>> archive = simulate_experiment(load_scenarios(topics=["travel"]), n_trials=(30, 30)).archive
    >>> fit = fit_choices(archive.decisions, archive.scenarios, draws=500)
    >>> checks = check_decisions(fit, replications=0)
    >>> set(checks.contexts["verdict"]) <= {"identified", "separated", "position-locked", "undecided", "at chance"}
    True
    """
    check_normal(fit)
    check_range("threshold", threshold, low=0.0, high=1e6, remedy="pass threshold=4")
    check_range("replications", replications, low=0, high=1000, whole=True, remedy="pass replications=4, for example")
    check_probability(prob)
    if targets is not None and not isinstance(targets, Targets):
        raise ArgumentError(
            "targets",
            expected="Targets",
            got=type(targets).__name__,
            remedy="make them with make_targets, or leave them out",
        )
    design = build_design(fit.decisions, fit.scenarios, fit.spec.by)
    folds = _draw_folds(fit, design, cv)
    held_out = hold_out(fit, design, design.s, folds, _DRAWS, "check")
    owner = np.repeat(np.arange(len(design.contexts)), np.diff(design.first))
    trials = pd.DataFrame({"context": owner, "chose_a": design.s > 0, "held_out": folds >= 0})
    trials["fitted"], trials["predicted"] = predict_fitted(fit, design, spread_draws(fit, _DRAWS)), held_out.chance
    trials["agrees"] = _agree_with_targets(fit, design, targets)
    contexts = _describe_contexts(fit, design, trials, held_out, threshold, prob)
    groups = _number_groups(fit, design.contexts)
    reliability = [_find_calibration(trials, groups, n, fit.spec.seed, prob) for n in range(groups.max() + 1)]
    judge = partial(_judge_again, fit, design, folds, owner, threshold)
    return DecisionChecks(
        contexts=contexts,
        overall=_describe_groups(fit, contexts, trials, groups, reliability),
        counts=count_beside_nulls(fit, design, contexts, groups, judge, replications),
        calibration=_label_curves(fit, contexts, groups, reliability),
        prob=prob,
        threshold=float(threshold),
    )


def _draw_folds(fit: ChoiceFit, design: Design, cv: Any) -> NDArray[np.int64]:
    """Fold of each trial, -1 where it cannot be held out, (N,)."""
    from sklearn.model_selection import KFold, check_cv

    whole = isinstance(cv, (int, np.integer)) and not isinstance(cv, bool)
    if whole:
        check_range("cv", int(cv), low=2, high=1000, whole=True, remedy="pass cv=5, for example")
    folds = np.full(len(design.s), -1, dtype=np.int64)
    single = 0
    for context, (start, stop) in enumerate(pairwise(design.first.tolist())):
        size = stop - start
        single += size < 2
        if size < 2:
            continue
        # in a random order: trials stand sorted by their values, of which splitters that do not shuffle would make blocks
        order = start + make_generator(fit.spec.seed, "folds", context=context).permutation(size)
        answers = design.s[order]
        try:
            splitter = check_cv(KFold(min(int(cv), size)) if whole else cv, answers, classifier=True)
            if splitter.get_n_splits(design.x[order], answers) > size:
                splitter = KFold(size)
            parts = list(splitter.split(design.x[order], answers))
            tested = np.concatenate([test for _, test in parts])
        except (TypeError, ValueError) as error:
            raise ArgumentError(
                "cv",
                expected="a number of folds, or a splitter that needs no groups",
                got=f"{cv!r} ({error})",
                remedy="pass cv=5, for example",
            ) from error
        if len(parts) < 2 or len(tested) != size or len(np.unique(tested)) != size:
            raise ArgumentError(
                "cv",
                expected="a splitter that tests every trial once",
                got=f"{cv!r}, which does not",
                remedy="pass cv=5, or KFold or StratifiedKFold of scikit-learn",
            )
        for number, (_, test) in enumerate(parts):
            folds[order[test]] = number
    if single:
        warnings.warn(
            f"{single} scenarios have a single trial, which nothing can predict; their scores out of sample are NaN",
            SelfInterpWarning,
            stacklevel=3,
        )
    return folds


def _agree_with_targets(fit: ChoiceFit, design: Design, targets: Targets | None) -> Floats:
    """1 where the answer is what target weights prefer, 0 where it is not, NaN where there is no such thing, (N,)."""
    found = np.full(len(design.s), np.nan)
    if targets is None:
        return found
    contexts = design.contexts
    weights = targets.frame.pivot(index="scenario", columns="slot", values="target")
    spans = zip(contexts["scenario"], contexts["n_attributes"].tolist(), pairwise(design.first.tolist()), strict=True)
    for name, size, (start, stop) in spans:
        if name not in weights.index:
            continue
        advantage = design.x[start:stop, :size] @ weights.loc[name].reindex(range(1, size + 1)).to_numpy(dtype=np.float64)
        clear = np.abs(advantage) > 1e-9
        found[start:stop][clear] = (np.sign(advantage) == design.s[start:stop])[clear]
    native = (fit.decisions.frame["preferences"] == "native").to_numpy()[design.rows]
    return np.where(native, np.nan, found)


def _describe_contexts(
    fit: ChoiceFit, design: Design, trials: pd.DataFrame, held_out: HeldOut, threshold: float, prob: float
) -> pd.DataFrame:
    table = design.contexts[[*fit.spec.by, "scenario", "n_trials", "share_a"]].copy()
    table = table.join(_score_contexts(trials, len(table)))
    table["target_agreement"] = trials.groupby("context")["agrees"].mean()
    owner = trials["context"].to_numpy()
    scores = find_log_scores(design.s, held_out, owner, len(table))
    for name, values in scores.items():
        table[f"elpd_{name}"] = values
    table["separated"] = find_separated(design, design.s)
    table = table.join(describe_pull(fit, design, prob))
    table["verdict"] = give_verdicts(scores, table["separated"].to_numpy(), threshold)
    table.attrs["prob"] = prob
    return table


def find_separated(design: Design, s: Floats) -> NDArray[np.bool_]:
    """Whether each context's answers, of the design or others, are separated, (contexts,)."""
    sizes, first = design.contexts["n_attributes"], design.first
    parts = [slice(start, stop) for start, stop in pairwise(first.tolist())]
    return np.array([is_separated(design.x[part, :size], s[part]) for part, size in zip(parts, sizes, strict=True)])


def _score_contexts(trials: pd.DataFrame, n_contexts: int) -> pd.DataFrame:
    """What ``_score`` gives, for every context at once: hundreds of calls of a metric would take seconds."""
    scores = {}
    for column, part, ending in (("fitted", trials, ""), ("predicted", trials[trials["held_out"]], "_out")):
        owner, chose_a = part["context"].to_numpy(), part["chose_a"].to_numpy()
        chance = part[column].to_numpy()
        values = {"hit_rate": (chance > 0.5) == chose_a, "log_loss": -np.log(np.where(chose_a, chance, 1.0 - chance))}
        counts = np.bincount(owner, minlength=n_contexts).astype(np.float64)
        counts[counts == 0] = np.nan
        for name, value in values.items():
            scores[name + ending] = np.bincount(owner, weights=value, minlength=n_contexts) / counts
    return pd.DataFrame(scores)[_SCORES]


def _score(trials: pd.DataFrame) -> dict[str, float]:
    """Hit rates and log losses, in sample and out of it; NaN of nothing."""
    from sklearn.metrics import accuracy_score, log_loss

    found = dict.fromkeys(_SCORES, float("nan"))
    for column, part, ending in (("fitted", trials, ""), ("predicted", trials[trials["held_out"]], "_out")):
        if len(part):
            chose_a, chance = part["chose_a"].to_numpy(), part[column].to_numpy()
            found["hit_rate" + ending] = float(accuracy_score(chose_a, chance > 0.5))
            found["log_loss" + ending] = float(log_loss(chose_a, chance, labels=[False, True]))
    return found


def _number_groups(fit: ChoiceFit, contexts: pd.DataFrame) -> NDArray[np.int64]:
    """Group of each context."""
    if not fit.spec.by:
        return np.zeros(len(contexts), dtype=np.int64)
    return np.asarray(contexts.groupby(list(fit.spec.by), sort=True, dropna=False).ngroup(), dtype=np.int64)


def _describe_groups(
    fit: ChoiceFit,
    contexts: pd.DataFrame,
    trials: pd.DataFrame,
    groups: NDArray[np.int64],
    reliability: Sequence[Reliability],
) -> pd.DataFrame:
    own = groups[trials["context"].to_numpy()]
    rows = []
    for n, found in enumerate(reliability):
        part = trials[own == n]
        label = contexts.loc[groups == n, list(fit.spec.by)].iloc[0].to_dict()
        counts = {"n_scenarios": int((groups == n).sum()), "n_trials": len(part), "share_a": float(part["chose_a"].mean())}
        rows.append({**label, **counts, **_score(part), "target_agreement": float(part["agrees"].mean()), **found.parts})
    return pd.DataFrame(rows)


def _find_calibration(trials: pd.DataFrame, groups: NDArray[np.int64], n: int, seed: int, prob: float) -> Reliability:
    part = trials[(groups[trials["context"].to_numpy()] == n) & trials["held_out"]]
    rng = make_generator(seed, "reliability", group=n)
    return find_reliability(part["predicted"].to_numpy(), part["chose_a"].to_numpy(), prob, rng)


def _label_curves(
    fit: ChoiceFit, contexts: pd.DataFrame, groups: NDArray[np.int64], reliability: Sequence[Reliability]
) -> pd.DataFrame:
    tables = []
    for n, found in enumerate(reliability):
        label = contexts.loc[groups == n, list(fit.spec.by)].iloc[0].to_dict()
        tables.append(found.curve.assign(**label)[[*label, *found.curve.columns]])
    return pd.concat(tables, ignore_index=True)


def _judge_again(
    fit: ChoiceFit,
    design: Design,
    folds: NDArray[np.int64],
    owner: NDArray[np.int64],
    threshold: float,
    s: Floats,
    purpose: str,
) -> dict[str, NDArray[np.bool_]]:
    """Contexts of each kind if these were the answers to the same questions."""
    held_out = hold_out(fit, design, s, folds, _FEWER_DRAWS, purpose)
    scores = find_log_scores(s, held_out, owner, len(design.contexts))
    verdicts = give_verdicts(scores, find_separated(design, s), threshold)
    kinds = find_kinds(s, held_out, owner, folds >= 0, len(design.contexts))
    return {**kinds, **{f"verdict: {verdict}": verdicts == verdict for verdict in VERDICTS}}
