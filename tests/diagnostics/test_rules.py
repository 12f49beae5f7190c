"""Shares of rules: their parts against closed forms, and recovered on mixed populations."""

from itertools import product

import numpy as np
import pandas as pd
import pytest
from helpers.choices import by_decider, combine, make_trials
from scipy import stats
from scipy.special import expit, logsumexp

from selfinterp_stats import ArgumentError, PooledPriors, compare_rules, fit_choices
from selfinterp_stats.agents import (
    DeterministicDecider,
    IdealPointDecider,
    LapsingDecider,
    LogitDecider,
    OneAttributeDecider,
)
from selfinterp_stats.choice.lapse_kernels import lapsing_log_likelihood, lapsing_log_likelihood_derivatives
from selfinterp_stats.diagnostics.evidence import RuleEvidence, find_evidence
from selfinterp_stats.diagnostics.rule_likelihoods import RULES, RuleTrials, list_likelihoods
from selfinterp_stats.diagnostics.shares import predict_scenarios, sample_shares

AGENTS = {
    "additive": by_decider(LogitDecider(6.0)),
    "ideal points": by_decider(IdealPointDecider(16.0, 0.6)),
    "interactions": combine,
    "largest attribute": by_decider(OneAttributeDecider(8.0)),
    "lapse": by_decider(LapsingDecider(DeterministicDecider(), 0.2)),
}


def make_rule_trials(n_trials=12, size=2, contexts=1, seed=1):
    rng = np.random.default_rng(seed)
    a, b = rng.random((2, n_trials * contexts, size))
    s = np.where(rng.random(n_trials * contexts) < 0.5, 1.0, -1.0)
    return RuleTrials(a - b, (a + b) / 2 - 0.5, s, np.arange(contexts + 1) * n_trials)


def integrate(trials, k, tau, sigma, lapse=0.0):
    """Evidence of one attribute alone, on a grid that is fine enough for sums to be integrals."""
    slope, step = np.linspace(-7 * tau, 7 * tau, 1201, retstep=True)
    intercept, other_step = np.linspace(-7 * sigma, 7 * sigma, 601, retstep=True)
    likelihood = np.ones((601, 1201))
    for x, s in zip(trials.x[:, k], trials.s, strict=True):
        likelihood *= lapse / 2 + (1 - lapse) * expit(s * (intercept[:, None] + slope * x))
    density = stats.norm.pdf(intercept, 0, sigma)[:, None] * stats.norm.pdf(slope, 0, tau)
    return (likelihood * density).sum() * step * other_step


def find(rule, trials, sigma, seed=1):
    labels = [{"scenario": f"s{b}"} for b in range(len(trials.first) - 1)]
    return find_evidence(rule, trials, np.log(sigma), labels, seed, (np.log(3.0), 1.0))


def read(evidence, tau, variant=0):
    """Value at some tau, from the grid of settings."""
    grid = np.log(3.0) + np.linspace(-2.7, 3.0, 85)
    return np.interp(np.log(tau), grid, evidence.values[0, 85 * variant : 85 * (variant + 1)])


@pytest.mark.parametrize("tau", [0.5, 3.0, 12.0])
def test_evidence_is_that_of_quadrature(tau):
    trials = make_rule_trials()
    expected = np.log(np.mean([integrate(trials, k, tau, 0.7) for k in range(2)]))
    assert read(find("largest attribute", trials, 0.7), tau) == pytest.approx(expected, abs=0.1)
    alone = RuleTrials(trials.x[:, :1], trials.m[:, :1], trials.s, trials.first)
    assert read(find("additive", alone, 0.7), tau) == pytest.approx(np.log(integrate(alone, 0, tau, 0.7)), abs=0.1)
    lapsing = np.log(integrate(alone, 0, tau, 0.7, lapse=0.2))
    assert read(find("lapse", alone, 0.7), tau, variant=2) == pytest.approx(lapsing, abs=0.1)


def test_settings_have_their_prior():
    evidence = find("lapse", make_rule_trials(), 0.7)
    assert logsumexp(evidence.log_prior) == pytest.approx(0.0)
    assert len(evidence.log_prior) == 4 * 85


def test_lapsing_likelihood():
    trials, rng = make_rule_trials(n_trials=9, size=3, contexts=2), np.random.default_rng(2)
    theta = rng.normal(0, 3, (2, 4))
    value, gradient, curvature = lapsing_log_likelihood_derivatives(theta, trials.x, trials.s, trials.first, 0.2)
    for b in range(2):
        rows = slice(9 * b, 9 * b + 9)
        chance = 0.1 + 0.8 * expit(trials.s[rows] * (theta[b, 0] + trials.x[rows] @ theta[b, 1:]))
        assert value[b] == pytest.approx(np.log(chance).sum())

    def evaluate(points):
        return lapsing_log_likelihood(points[None].transpose(1, 0, 2).copy(), trials.x, trials.s, trials.first, 0.2)[:, 0]

    assert evaluate(theta) == pytest.approx(value)
    for i, step in enumerate(1e-5 * np.eye(4)):
        moved = [
            lapsing_log_likelihood_derivatives(theta + sign * step, trials.x, trials.s, trials.first, 0.2)
            for sign in (1, -1)
        ]
        assert (moved[0][0] - moved[1][0]) / 2e-5 == pytest.approx(gradient[:, i], abs=1e-6)
        assert (moved[0][1] - moved[1][1]) / -2e-5 == pytest.approx(curvature[:, i], abs=1e-6)


def test_predictors_are_what_they_are_said_to_be():
    rng = np.random.default_rng(3)
    a, b = rng.random((2, 20, 3))
    trials = RuleTrials(a - b, (a + b) / 2 - 0.5, np.ones(20), np.array([0, 20]))
    u, v = a - 0.5, b - 0.5
    squares = list_likelihoods("ideal points", trials)[0][0][0].x
    assert squares == pytest.approx(np.hstack([a - b, 4 * (u**2 - v**2)]))
    products = list_likelihoods("interactions", trials)[0][0][0].x
    pairs = [(0, 1), (0, 2), (1, 2)]
    expected = [4 * (u[:, i] * u[:, j] - v[:, i] * v[:, j]) for i, j in pairs]
    assert products == pytest.approx(np.column_stack([a - b, *expected]))


def test_more_predictors_than_trials_keep_their_prior():
    """Covariances of the log odds are the same with the shorter predictors."""
    trials = make_rule_trials(n_trials=12, size=6, contexts=2)
    short = list_likelihoods("interactions", trials)[0][0][0].x
    assert short.shape == (24, 12)
    m, x = trials.m, trials.x
    pairs = [4 * (x[:, i] * m[:, j] + x[:, j] * m[:, i]) for i in range(6) for j in range(i + 1, 6)]
    full = np.column_stack([x, *pairs])
    for rows in (slice(0, 12), slice(12, 24)):
        assert short[rows] @ short[rows].T == pytest.approx(full[rows] @ full[rows].T)


def enumerate_shares(evidence):
    """Mean shares and memberships by summing over all assignments of scenarios to rules."""
    n_rules, n_scenarios = len(evidence), len(evidence[0].values)
    logs, counts, assigned = [], [], []
    for rules in product(range(n_rules), repeat=n_scenarios):
        tally = np.bincount(rules, minlength=n_rules)
        total = -stats.dirichlet(1 + tally).logpdf(np.full(n_rules, 1 / n_rules)) - np.log(n_rules) * tally.sum()
        for r, part in enumerate(evidence):
            inside = np.array(rules) == r
            total += logsumexp(part.values[inside].sum(axis=0) + part.log_prior)
        logs.append(total)
        counts.append(tally)
        assigned.append(rules)
    weights = np.exp(np.array(logs) - logsumexp(logs))
    shares = weights @ ((1 + np.array(counts)) / (n_scenarios + n_rules))
    membership = [weights @ (np.array(assigned) == r) for r in range(n_rules)]
    return shares, np.stack(membership, axis=1)


def make_evidence(seed=1, n_rules=3, n_scenarios=5, settings=4):
    rng = np.random.default_rng(seed)
    log_prior = rng.normal(0, 1, (n_rules, settings))
    log_prior -= logsumexp(log_prior, axis=1, keepdims=True)
    shape = (n_scenarios, settings)
    return [RuleEvidence(rng.normal(0, 2, shape), log_prior[r], np.zeros(shape)) for r in range(n_rules)]


def test_shares_are_those_of_enumeration():
    evidence = make_evidence()
    shares, membership = enumerate_shares(evidence)
    found = sample_shares(evidence, 4000, np.random.default_rng(4))
    error = found.shares.std(axis=1) / np.sqrt(found.ess)
    assert np.abs((found.shares.mean(axis=1) - shares) / error).max() < 4.0
    assert found.membership == pytest.approx(membership, abs=0.02)
    assert found.r_hat < 1.01
    # a twin that forgets that settings are shared: each scenario averages over the prior by itself
    apart = [
        RuleEvidence(logsumexp(p.values + p.log_prior, axis=1)[:, None], np.zeros(1), np.zeros((5, 1))) for p in evidence
    ]
    broken = sample_shares(apart, 2000, np.random.default_rng(4))
    assert np.abs((broken.shares.mean(axis=1) - shares) / error).max() > 6.0


def test_scenarios_are_predicted_from_the_others():
    part = make_evidence(n_rules=1)[0]
    for s in range(5):
        others = np.delete(part.values, s, axis=0).sum(axis=0) + part.log_prior
        weights = np.exp(others - logsumexp(others))
        assert predict_scenarios(part)[s] == pytest.approx(np.log(weights @ np.exp(part.values[s])))


def compare(composition, seed=3, n_trials=50, size=5):
    rules = [AGENTS[name] for name, count in composition.items() for _ in range(count)]
    decisions, scenarios = make_trials(rules, n_trials, size, seed=seed, low=-5.0, high=20.0)
    found = compare_rules(fit_choices(decisions, scenarios, draws=500), draws=2000)
    return found, found.table.set_index("rule")


@pytest.mark.thorough
@pytest.mark.parametrize(
    "composition",
    [
        {"additive": 40},
        {"additive": 30, "ideal points": 15},
        {"additive": 30, "interactions": 15},
        {"additive": 30, "largest attribute": 15},
        {"additive": 20, "lapse": 25},
        {"additive": 15, "ideal points": 12, "interactions": 12, "largest attribute": 12, "lapse": 12},
    ],
)
def test_shares_of_mixed_populations(composition):
    found, table = compare(composition)
    total = sum(composition.values())
    for rule in RULES:
        share = composition.get(rule, 0) / total
        low, high = table.loc[rule, ["share_hdi_low", "share_hdi_high"]]
        if share == 1.0:
            assert high > 0.95
        elif share == 0.0:
            assert low < 0.02
        else:
            assert low < share < high
    # "indistinguishable" is the word for most scenarios, and where it is not, it is mostly right
    order = [rule for rule, count in composition.items() for _ in range(count)]
    told = found.scenarios["rule"] != "indistinguishable"
    assert (found.scenarios["rule"][told] == np.array(order)[told]).mean() > 0.8 if told.any() else True
    # rules in the wrong order are caught by the same intervals
    if len(composition) == 2:
        turned = dict(zip(RULES, np.roll([composition.get(rule, 0) / total for rule in RULES], 1), strict=True))
        inside = [table.loc[r, "share_hdi_low"] - 0.02 < turned[r] < table.loc[r, "share_hdi_high"] + 0.02 for r in RULES]
        assert not all(inside)


def test_shape_of_the_results():
    composition = {"additive": 6, "largest attribute": 6}
    found, table = compare(composition, n_trials=20, size=3)
    assert table["share_mean"].sum() == pytest.approx(1.0)
    assert table["elpd_difference"].max() == 0.0
    assert set(table["standing"]) <= {"best", "indistinguishable", "worse"}
    assert (table["standing"] == "best").sum() in (0, 1)
    assert found.scenarios.filter(like="p_").sum(axis=1).to_numpy() == pytest.approx(np.ones(12))
    assert found.values.shape == (5, 2000)
    assert found.draws.sizes["share"] == 5
    assert found.draws.coords["rule"].values.tolist() == list(RULES)
    assert "shares of scenarios, 95% HDI" in str(found)
    again, _ = compare(composition, n_trials=20, size=3)
    pd.testing.assert_frame_equal(found.table, again.table)


def test_many_attributes_and_mixed_sizes():
    first, scenarios = make_trials([AGENTS["additive"]] * 4, 30, 10, seed=5)
    second, others = make_trials([AGENTS["additive"]] * 4, 30, 2, seed=6)
    frame = pd.concat([first.frame, second.frame.assign(scenario=second.frame["scenario"] + "x")], ignore_index=True)
    both = pd.concat([scenarios.frame, others.frame.assign(scenario=others.frame["scenario"] + "x")], ignore_index=True)
    fit = fit_choices(type(first)(frame), type(scenarios)(both), by=(), draws=500)
    found = compare_rules(fit, rules=("additive", "interactions"), draws=800)
    assert found.scenarios["scenario"].tolist() == fit.contexts["scenario"].tolist()
    assert found.table.set_index("rule").loc["additive", "share_median"] > 0.5


def test_errors():
    decisions, scenarios = make_trials([AGENTS["additive"]] * 3, 15, 2, seed=7)
    fit = fit_choices(decisions, scenarios, draws=200)
    for rules, text in (
        (("additive",), r"rules: expected two different rules or more, got 'additive'; leave the argument out"),
        (("additive", "additive"), "rules: expected two different rules or more"),
        (("additive", "random"), r"rules: expected one of 'additive', 'ideal points'.*got 'random'"),
        ("additive", r"rules: expected a sequence of names"),
    ):
        with pytest.raises(ArgumentError, match=text):
            compare_rules(fit, rules=rules)
    with pytest.raises(ArgumentError, match=r"fit: expected a fit with partial pooling.*got pooling='none'"):
        compare_rules(fit_choices(decisions, scenarios, pooling="none", draws=200))
    omega = type(fit.spec)(**{**vars(fit.spec), "priors": PooledPriors(omega=fit.spec.priors.tau)})
    other = type(fit)(**{**vars(fit), "spec": omega})
    with pytest.raises(ArgumentError, match=r"fit: expected a fit of choices without further options, got one with omega"):
        compare_rules(other)
