"""Which rules are the decisions made by? Shares of a population of scenarios, with their uncertainty."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from selfinterp_stats.choice import ChoiceFit
from selfinterp_stats.choice.design import Design, build_design
from selfinterp_stats.choice.pooled import list_groups
from selfinterp_stats.diagnostics.evidence import RuleEvidence, find_evidence, join_evidence
from selfinterp_stats.diagnostics.heldout import check_normal, find_scales
from selfinterp_stats.diagnostics.rule_likelihoods import RULES, RuleTrials
from selfinterp_stats.diagnostics.shares import LEAST_ESS, R_HAT_LIMIT, SharesPosterior, predict_scenarios, sample_shares
from selfinterp_stats.errors import ArgumentError, SelfInterpWarning, check_choice, check_range, check_sequence
from selfinterp_stats.seeding import check_draws, make_generator
from selfinterp_stats.summaries import check_probability, summarise_rows
from selfinterp_stats.weights import label_draws

if TYPE_CHECKING:
    import xarray as xr

__all__ = ["RuleComparison", "compare_rules"]

Floats = NDArray[np.float64]

INDISTINGUISHABLE = "indistinguishable"
_LARGEST_ERROR = 0.5  # of a log evidence: what is meant by it is a factor of 1.6


@dataclass(frozen=True)
class RuleComparison:
    """Rules behind the decisions.

    Attributes
    ----------
    table : pandas.DataFrame
        One row for each group and rule: the grouping columns, ``rule, n_scenarios, share_mean, share_median,
        share_hdi_low, share_hdi_high`` (of the scenarios, 0 to 1), ``elpd`` (log predictive density of the scenarios'
        answers if all follow this rule, each scenario predicted from the others), ``elpd_difference`` (to the best),
        ``se_difference`` and ``standing``: "best", "indistinguishable" from it, or "worse".
    scenarios : pandas.DataFrame
        One row for each scenario: the grouping columns, ``scenario``, ``p_`` and ``elpd_`` of each rule, and ``rule``: the
        one that is ahead of all others by the threshold, or "indistinguishable".
    values : numpy.ndarray
        Draws of the shares, shape (rows of the table, draws).
    prob : float
        Probability of the intervals.
    threshold : float
        Differences of elpd that count, in nats.
    """

    table: pd.DataFrame
    scenarios: pd.DataFrame
    values: Floats
    prob: float
    threshold: float

    @property
    def draws(self) -> xr.DataArray:
        """Draws of the shares with labels: dimensions chain (one), draw and share."""
        last = list(self.table.columns).index("rule") + 1
        return label_draws(self.values, self.table.iloc[:, :last], "share", "share")

    def summary(self) -> pd.DataFrame:
        """The table."""
        return self.table

    def __str__(self) -> str:
        known = (self.scenarios["rule"] != INDISTINGUISHABLE).sum()
        return "\n".join(
            [
                f"Rules behind the decisions: shares of scenarios, {self.prob:.0%} HDI; elpd if all follow one rule",
                self.table.round(2).to_string(index=False),
                f"  {known} of {len(self.scenarios)} scenarios tell one rule from all others by {self.threshold:g} nats",
            ]
        )

    __repr__ = __str__


def compare_rules(
    fit: ChoiceFit,
    *,
    rules: Sequence[str] = RULES,
    threshold: float = 4.0,
    draws: int = 4000,
    prob: float = 0.95,
) -> RuleComparison:
    """Estimate which share of the scenarios is decided by which rule.

    All rules are logit models with an intercept; positions u within the ranges count from their middle.

    - ``additive``: log odds linear in the attribute differences, as everywhere else in this package.
    - ``ideal points``: and in the differences of squares, so that an attribute may be best somewhere inside its range.
    - ``interactions``: and in the differences of products, so that what one attribute is worth may depend on another.
    - ``largest attribute``: linear in one attribute's difference, each being that one with equal probability.
    - ``lapse``: additive, but a share of the trials, the same in all scenarios of this rule, is coin tosses: one of
      0.05, 0.1, 0.2 and 0.4 with equal prior probability.

    Slopes are Normal(0, tau) with tau a setting of each rule, with its prior from the fit; intercepts are Normal(0,
    sigma_alpha) with the fit's posterior mean, under every rule. Each scenario follows one rule, with shares that have a
    uniform prior. Some tens of trials hardly ever tell one rule from the others in a single scenario: what is estimated
    are the shares, and their uncertainty shows how far even these are known. Rules that contain one another, as all but two
    contain the additive one, differ by how much they would have allowed for.

    Parameters
    ----------
    fit : ChoiceFit
        Of choices, with partial pooling and plain normal priors; its decisions are what is compared on.
    rules : sequence of str
        Two of these or more.
    threshold : float
        Differences of elpd that count, in nats; below, rules are called indistinguishable.
    draws : int
        Draws of the shares.
    prob : float
        Probability of the intervals.

    Returns
    -------
    RuleComparison

    Raises
    ------
    ArgumentError
        If an argument has no usable value.

    Warns
    -----
    SelfInterpWarning
        If shares did not mix, or some evidence is not known well.

    Notes
    -----
    A scenario's evidence is the integral of its likelihood over intercept and slopes, by importance sampling around the
    mode at each of 15 values of tau, interpolated in between; interactions of many attributes are turned to as many
    directions as there are trials. Shares, the scenarios' rules and the settings are drawn in turn (Gibbs sampling, 8
    chains).

    Examples
    --------
    >>> from selfinterp_stats import fit_choices, load_scenarios, simulate_experiment
    >>> archive = simulate_experiment(load_scenarios(topics=["travel"]), n_trials=(30, 30)).archive
    >>> fit = fit_choices(archive.decisions, archive.scenarios, by=("preferences",), draws=500)
    >>> found = compare_rules(fit, rules=("additive", "largest attribute"), draws=800)
    >>> found.table.groupby("preferences")["share_mean"].sum().round(6).tolist()
    [1.0, 1.0]
    """
    _check_fit(fit)
    chosen = _check_rules(rules)
    check_range("threshold", threshold, low=0.0, high=1e6, remedy="pass threshold=4")
    check_draws(draws)
    check_probability(prob)
    design = build_design(fit.decisions, fit.scenarios, fit.spec.by)
    scales = find_scales(fit)
    tables, scenarios, values = [], [], []
    for label, members in list_groups(design, fit.spec):
        evidence = [_find_evidence(fit, design, rule, members, float(scales[members[0], 0])) for rule in chosen]
        posterior = sample_shares(evidence, draws, make_generator(fit.spec.seed, "shares", **label))
        _warn(label, chosen, evidence, posterior)
        predicted = np.stack([predict_scenarios(part) for part in evidence], axis=1)
        tables.append(_describe_shares(label, chosen, posterior.shares, predicted, threshold, prob))
        own = fit.contexts.loc[members, [*fit.spec.by, "scenario"]].reset_index(drop=True)
        scenarios.append(_describe_scenarios(own, chosen, posterior.membership, predicted, threshold))
        values.append(posterior.shares)
    table = pd.concat(tables, ignore_index=True)
    table.attrs["prob"] = prob
    return RuleComparison(table, pd.concat(scenarios, ignore_index=True), np.concatenate(values), prob, float(threshold))


def _check_fit(fit: ChoiceFit) -> None:
    check_normal(fit)
    if fit.spec.pooling != "partial":
        raise ArgumentError(
            "fit",
            expected="a fit with partial pooling, whose spread of intercepts the rules share",
            got=f"pooling={fit.spec.pooling!r}",
            remedy="pass fit_choices(decisions, scenarios)",
        )


def _check_rules(rules: Sequence[str]) -> list[str]:
    check_sequence("rules", rules, "names")
    for rule in rules:
        check_choice("rules", rule, RULES)
    if len(set(rules)) != len(rules) or len(rules) < 2:
        raise ArgumentError(
            "rules",
            expected="two different rules or more",
            got=", ".join(map(repr, rules)),
            remedy="leave the argument out to compare all of them",
        )
    return list(rules)


def _find_evidence(fit: ChoiceFit, design: Design, rule: str, members: NDArray[np.int64], log_sigma: float) -> RuleEvidence:
    sizes = design.contexts["n_attributes"].to_numpy()[members]
    tau = getattr(fit.spec.priors, "tau")  # noqa: B009 - of PooledPriors alone
    parts = []
    for size in np.unique(sizes).tolist():
        places = np.flatnonzero(sizes == size)
        labels = fit.contexts.loc[members[places], [*fit.spec.by, "scenario"]].to_dict("records")
        trials = _take_trials(fit, design, members[places], size)
        keys = [{str(name): str(value) for name, value in label.items()} for label in labels]
        prior = (float(np.log(tau.median)), float(tau.sd))
        parts.append((places, find_evidence(rule, trials, log_sigma, keys, fit.spec.seed, prior)))
    return join_evidence(parts)


def _take_trials(fit: ChoiceFit, design: Design, members: NDArray[np.int64], size: int) -> RuleTrials:
    spans = [np.arange(design.first[c], design.first[c + 1]) for c in members]
    rows = np.concatenate(spans)
    first = np.concatenate([[0], np.cumsum([len(span) for span in spans])]).astype(np.int64)
    frame = fit.decisions.frame.iloc[design.rows[rows]]
    low, high = fit.scenarios.ranges(list(frame["scenario"]))
    middle = np.empty((len(rows), size))
    for k in range(size):
        mean = 0.5 * (frame[f"a_{k + 1}"].to_numpy() + frame[f"b_{k + 1}"].to_numpy())
        middle[:, k] = (mean - low[:, k]) / (high[:, k] - low[:, k]) - 0.5
    return RuleTrials(np.ascontiguousarray(design.x[rows, :size]), middle, design.s[rows], first)


def _describe_shares(
    label: dict[str, str], rules: list[str], shares: Floats, predicted: Floats, threshold: float, prob: float
) -> pd.DataFrame:
    found = summarise_rows(shares, prob)
    elpd = predicted.sum(axis=0)
    best = int(np.argmax(elpd))
    apart = predicted - predicted[:, [best]]
    table = pd.DataFrame({**label, "rule": rules, "n_scenarios": len(predicted)})
    for name in ("mean", "median", "hdi_low", "hdi_high"):
        table[f"share_{name}"] = found[name]
    table["elpd"], table["elpd_difference"] = elpd, apart.sum(axis=0)
    spread = apart.std(axis=0, ddof=1) if len(predicted) > 1 else np.full(len(rules), np.nan)
    table["se_difference"] = np.sqrt(len(predicted)) * spread
    close = table["elpd_difference"] > -threshold
    table["standing"] = np.where(close, INDISTINGUISHABLE, "worse")
    if close.sum() == 1:
        table.loc[best, "standing"] = "best"
    return table


def _describe_scenarios(
    labels: pd.DataFrame, rules: list[str], membership: Floats, predicted: Floats, threshold: float
) -> pd.DataFrame:
    table = labels.copy()
    for r, rule in enumerate(rules):
        table[f"p_{rule}"] = membership[:, r]
    for r, rule in enumerate(rules):
        table[f"elpd_{rule}"] = predicted[:, r]
    ordered = np.sort(predicted, axis=1)
    ahead = ordered[:, -1] - ordered[:, -2] >= threshold
    table["rule"] = np.where(ahead, np.array(rules)[predicted.argmax(axis=1)], INDISTINGUISHABLE)
    return table


def _warn(label: dict[str, str], rules: list[str], evidence: list[RuleEvidence], posterior: SharesPosterior) -> None:
    whose = f" ({', '.join(map(str, label.values()))})" if label else ""
    if not (posterior.r_hat < R_HAT_LIMIT and posterior.ess >= LEAST_ESS):
        warnings.warn(
            f"shares of rules{whose} did not mix well: R-hat {posterior.r_hat:.3f}, effective size {posterior.ess:.0f}; "
            "pass more draws",
            SelfInterpWarning,
            stacklevel=3,
        )
    for rule, part, weights in zip(rules, evidence, posterior.settings, strict=True):
        poor = int((part.error @ weights > _LARGEST_ERROR).sum())
        if poor:
            warnings.warn(
                f"the evidence for {rule!r} is not known well in {poor} scenarios{whose}; leave that rule out",
                SelfInterpWarning,
                stacklevel=3,
            )
