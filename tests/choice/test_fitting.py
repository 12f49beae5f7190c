"""The choice model: against quadrature and NUTS, on hard data, and what must not change it."""

import numpy as np
import pandas as pd
import pytest
from helpers.tables import unit_decisions, unit_scenarios
from scipy import stats
from scipy.special import log_expit

from selfinterp_stats import (
    ArgumentError,
    ChoicePriors,
    Decisions,
    Normal,
    PooledPriors,
    SelfInterpWarning,
    StudentT,
    fit_choices,
)


def _two_attributes(n, weights, seed, intercept=0.0):
    rng = np.random.default_rng(seed)
    x = rng.uniform(-1, 1, (n, 2))
    chosen = rng.random(n) < 1 / (1 + np.exp(-(intercept + x @ weights)))
    return x, chosen


PAPER_SLOPES, PAPER_INTERCEPT = stats.norm(0, 1), stats.t(3, 0, 2.5)


def _quadrature(x, chosen, slope_prior=PAPER_SLOPES, intercept_prior=PAPER_INTERCEPT, reach=(14, 8, 8)):
    """Posterior means and sds of intercept (uncentred) and two slopes on a dense grid."""
    centre = x.mean(axis=0)
    axes = [np.linspace(-r, r, n) for r, n in zip(reach, (141, 97, 97), strict=True)]
    a, b1, b2 = np.meshgrid(*axes, indexing="ij")
    log_density = intercept_prior.logpdf(a) + slope_prior.logpdf(b1) + slope_prior.logpdf(b2)
    for row, answer in zip(x - centre, chosen, strict=True):
        log_density += log_expit((1 if answer else -1) * (a + row[0] * b1 + row[1] * b2))
    weights = np.exp(log_density - log_density.max())
    weights /= weights.sum()
    found = []
    for quantity in (a - centre[0] * b1 - centre[1] * b2, b1, b2):
        mean = (weights * quantity).sum()
        found.append((mean, np.sqrt((weights * (quantity - mean) ** 2).sum())))
    return np.array(found).T


CASES = {
    "ordinary": _two_attributes(40, [2.0, -1.0], 1, intercept=0.7),
    "separated": (lambda x: (x, x @ [3.0, 1.0] > 0))(np.random.default_rng(2).uniform(-1, 1, (25, 2))),
    "one answer only": (np.random.default_rng(3).uniform(-1, 1, (12, 2)), np.ones(12, dtype=bool)),
    "one trial": (np.array([[0.5, -0.2]]), np.array([True])),
    "collinear": (lambda z: (np.column_stack([z, z]), z > 0.1))(np.random.default_rng(4).uniform(-1, 1, 30)),
    "no variation": (np.zeros((20, 2)), np.arange(20) < 13),
}


@pytest.mark.parametrize("name", CASES)
def test_against_quadrature(name):
    x, chosen = CASES[name]
    scenarios = unit_scenarios([2])
    fit = fit_choices(unit_decisions(scenarios, [x], [chosen]), scenarios, draws=8000, seed=1, pooling="none")
    mean, sd = _quadrature(x, chosen, reach=(60, 8, 8) if name in ("one answer only", "one trial") else (14, 8, 8))
    table = fit.summary()
    ess = min(fit.contexts["ess"].iloc[0], 8000)
    slopes = slice(0, 3) if name not in ("one answer only", "one trial") else slice(1, 3)
    # an intercept with one answer only has the Student-t's tail: its mean converges too slowly to be compared
    assert np.abs((table["mean"].to_numpy() - mean) / sd)[slopes].max() < 4.5 / np.sqrt(ess)
    assert np.abs(table["sd"].to_numpy() / sd - 1)[slopes].max() < 6 / np.sqrt(2 * ess)


@pytest.mark.parametrize("seed", range(10))
def test_intercept_with_one_answer_only(seed):
    """Its tail is the prior's. Importance sampling that passes its checks by luck misses it; every seed has to be right."""
    x, chosen = CASES["one answer only"]
    scenarios = unit_scenarios([2])
    fit = fit_choices(unit_decisions(scenarios, [x], [chosen]), scenarios, draws=4000, seed=seed, pooling="none")
    ess = fit.contexts["ess"].iloc[0]
    assert ess >= 400
    grid = np.linspace(-5, 400, 4_001)
    nodes = stats.norm.ppf((np.arange(60) + 0.5) / 60)
    b1, b2 = np.meshgrid(nodes, nodes)
    likelihood = np.zeros_like(grid)
    eta = (x - x.mean(axis=0)) @ np.stack([b1.ravel(), b2.ravel()])
    for i, a in enumerate(grid):
        likelihood[i] = np.exp(log_expit(a + eta).sum(axis=0)).mean()
    density = likelihood * stats.t.pdf(grid, 3, 0, 2.5)
    cdf = np.cumsum(density) / density.sum()
    centred = fit.intercept_draws[0] + (x.mean(axis=0) @ fit.slope_draws)
    for p in (0.1, 0.5, 0.9, 0.97):
        exact = grid[np.searchsorted(cdf, p)]
        assert (centred < exact).mean() == pytest.approx(p, abs=4.5 * np.sqrt(p * (1 - p) / ess))


def test_against_nuts():
    """Bambi's formula model with brms' conventions (centred predictors), sampled by nutpie."""
    import warnings

    with warnings.catch_warnings():
        # bambi 0.17 raises Pandas4Warning on pandas 3.1 for every model; pytensor 2.38 (of pymc 5.28) warns of a missing
        # BLAS or compiler on a bare machine; nutpie 0.16 of coordinates. None of it touches the draws.
        warnings.simplefilter("ignore")
        import bambi

        rng = np.random.default_rng(11)
        x = rng.uniform(-1, 1, (60, 4)) + 0.2
        chosen = rng.random(60) < 1 / (1 + np.exp(-(0.5 + x @ [3.0, -1.0, 0.3, 2.0])))
        frame = pd.DataFrame(x, columns=["x1", "x2", "x3", "x4"]).assign(chosen=chosen.astype(int))
        priors = {name: bambi.Prior("Normal", mu=0, sigma=1) for name in frame.columns[:4]}
        priors["Intercept"] = bambi.Prior("StudentT", nu=3, mu=0, sigma=2.5)
        model = bambi.Model("chosen ~ x1 + x2 + x3 + x4", frame, family="bernoulli", priors=priors)
        fitted = model.fit(inference_method="nutpie", draws=3000, tune=500, chains=4, random_seed=3, progress_bar=False)
    posterior = fitted.posterior
    scenarios = unit_scenarios([4])
    fit = fit_choices(unit_decisions(scenarios, [x], [chosen]), scenarios, draws=8000, seed=2, pooling="none")
    table = fit.summary().set_index("slot")
    for slot, name in enumerate(["Intercept", "x1", "x2", "x3", "x4"]):
        reference = posterior[name].to_numpy().ravel()
        z = (table.loc[slot, "mean"] - reference.mean()) / (reference.std() * np.sqrt(1 / 4000 + 1 / 6000))
        assert abs(z) < 4.5, name
        assert table.loc[slot, "sd"] == pytest.approx(reference.std(), rel=0.05), name


def _wide(n_scenarios=30, k=5, n=50, seed=5, sd=1.0):
    """Agents from the prior: (tables, true slopes)."""
    rng = np.random.default_rng(seed)
    scenarios = unit_scenarios([k] * n_scenarios)
    x = [rng.uniform(-1, 1, (n, k)) for _ in range(n_scenarios)]
    truth = rng.normal(0, sd, (n_scenarios, k))
    chosen = [rng.random(n) < 1 / (1 + np.exp(-(x[i] @ truth[i]))) for i in range(n_scenarios)]
    return scenarios, unit_decisions(scenarios, x, chosen), truth


def test_reproducible_and_independent_of_order_and_batch():
    scenarios, decisions, _ = _wide()
    fit = fit_choices(decisions, scenarios, pooling="none", draws=500, seed=3)
    shuffled = Decisions(decisions.frame.sample(frac=1, random_state=1))
    again = fit_choices(shuffled, scenarios, pooling="none", draws=500, seed=3)
    assert np.array_equal(fit.slope_draws, again.slope_draws)
    assert np.array_equal(fit.intercept_draws, again.intercept_draws)
    part = decisions.frame[decisions.frame["scenario"].isin(["s0007", "s0011"])]
    alone = fit_choices(Decisions(part), scenarios, pooling="none", draws=500, seed=3)
    rows = fit.slopes["scenario"].isin(["s0007", "s0011"]).to_numpy()
    assert np.array_equal(fit.slope_draws[rows], alone.slope_draws)
    other = fit_choices(decisions, scenarios, pooling="none", draws=500, seed=4)
    assert not np.array_equal(fit.slope_draws, other.slope_draws)


def test_swapping_the_options_negates_the_intercept_alone():
    scenarios, decisions, _ = _wide(n_scenarios=4)
    frame = decisions.frame
    swapped = frame.assign(chosen=frame["chosen"].map({"A": "B", "B": "A"}))
    for j in range(1, 6):
        swapped[[f"a_{j}", f"b_{j}"]] = frame[[f"b_{j}", f"a_{j}"]].to_numpy()
    first = fit_choices(decisions, scenarios, pooling="none", draws=4000, seed=1).summary()
    second = fit_choices(Decisions(swapped), scenarios, pooling="none", draws=4000, seed=1).summary()
    error = 4.5 * np.hypot(first["mcse"], second["mcse"])
    sign = np.where(first["slot"] == 0, -1, 1)
    assert (np.abs(first["mean"] - sign * second["mean"]) < error).all()


def test_scenarios_of_different_sizes_in_one_call():
    rng = np.random.default_rng(6)
    sizes = [2, 20, 5, 2]
    scenarios = unit_scenarios(sizes)
    x = [rng.uniform(-1, 1, (60, k)) for k in sizes]
    decisions = unit_decisions(scenarios, x, [rng.random(60) < 0.5 for _ in sizes])
    fit = fit_choices(decisions, scenarios, pooling="none", draws=2000, seed=1)
    assert fit.slope_draws.shape == (29, 2000)
    assert fit.slopes.groupby("context").size().tolist() == sizes
    assert fit.contexts["converged"].all()


def test_groups_are_fitted_apart():
    scenarios, decisions, _ = _wide(n_scenarios=3)
    frame = decisions.frame.assign(trigger=["on", "off"] * (len(decisions.frame) // 2))
    both = Decisions(frame, ("trigger",))
    fit = fit_choices(both, scenarios, pooling="none", by=["trigger"], draws=400)
    assert fit.contexts["trigger"].tolist() == ["off"] * 3 + ["on"] * 3
    assert fit.contexts["n_trials"].sum() == len(frame)


def test_wide_priors_and_separation():
    """The posterior is far from normal: the exact sampler takes over, and gets the direction right."""
    x, chosen = CASES["separated"]
    scenarios = unit_scenarios([2])
    decisions = unit_decisions(scenarios, [x], [chosen])
    fit = fit_choices(decisions, scenarios, pooling="none", priors=ChoicePriors(slopes=Normal(0, 30)), draws=4000, seed=1)
    mean, sd = _quadrature(x, chosen, slope_prior=stats.norm(0, 30), reach=(60, 150, 100))
    table = fit.summary()
    assert fit.contexts["converged"].all()
    assert np.abs((table["mean"] - mean) / sd).max() < 4.5 / np.sqrt(fit.contexts["ess"].iloc[0])
    heavy = fit_choices(
        decisions, scenarios, pooling="none", priors=ChoicePriors(slopes=StudentT(2, 0, 5)), draws=1000, seed=1
    )
    assert heavy.contexts["sampler"].tolist() == ["slice"]
    assert "s0000" in str(heavy)


def test_unconverged_scenarios_are_named(monkeypatch):
    monkeypatch.setattr("selfinterp_stats.engines.laplace._ADAPTED_SHARE", 2.0)  # nothing passes
    monkeypatch.setattr("selfinterp_stats.engines.slice._DOUBLINGS", 0)
    monkeypatch.setattr("selfinterp_stats.engines.slice._R_HAT_LIMIT", 0.5)
    x, chosen = CASES["separated"]
    scenarios = unit_scenarios([2])
    decisions = unit_decisions(scenarios, [x], [chosen])
    with pytest.warns(SelfInterpWarning, match=r"1 scenarios did not pass their checks \(s0000\)") as caught:
        fit = fit_choices(decisions, scenarios, pooling="none", priors=ChoicePriors(slopes=StudentT(2, 0, 5)), draws=200)
    assert caught[0].filename == __file__
    assert not fit.contexts["converged"].any()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"pooling": "full"}, "pooling: expected one of 'partial', 'none'"),
        ({"priors": PooledPriors()}, "priors: expected 'paper' or a ChoicePriors, got slopes ~ normal"),
        ({"pooling": "partial", "priors": "paper"}, "priors: expected a PooledPriors, since the spread"),
        ({"response": "rank"}, "response: expected one of"),
        ({"inference": "vi"}, "inference: expected one of 'laplace'"),
        ({"draws": 10}, "draws: expected a whole number from 100"),
        ({"draws": 400.5}, "draws"),
        ({"seed": -1}, "seed: expected a whole number"),
        ({"priors": "flat"}, "priors: expected 'paper'"),
        ({"by": ["temper"]}, "by: expected columns of the decisions"),
    ],
)
def test_arguments(options, message):
    scenarios, decisions, _ = _wide(n_scenarios=2)
    with pytest.raises(ArgumentError, match=message):
        fit_choices(decisions, scenarios, **{"pooling": "none", **options})
