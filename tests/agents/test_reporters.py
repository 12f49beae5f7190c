"""Reporters: the association is exact where it is set, and every way of replying does what it says."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from selfinterp_stats import ArgumentError, load_scenarios
from selfinterp_stats.agents import (
    GaussianNoise,
    IdealPointDecider,
    LapsingDecider,
    LogitDecider,
    Reporter,
    StudentNoise,
    draw_noise_free_reports,
    find_population_truth,
    measure_association,
)
from selfinterp_stats.agents.replies import build_replies, expect_replies

SILENT = GaussianNoise(0.0)


def _used(n=60, seed=1):
    used = np.random.default_rng(seed).uniform(-100, 100, (n, 5))
    used[::3, 3:] = np.nan  # a third of the scenarios has three attributes
    return used


@given(
    r=st.one_of(st.sampled_from([-1.0, 0.0, 1.0]), st.floats(-1, 1)),
    seed=st.integers(0, 10_000),
    n=st.integers(1, 40),
    bias=st.floats(-80, 80),
)
def test_finite_truth_is_exact(r, seed, n, bias):
    used = _used(n, seed)
    reports = draw_noise_free_reports(used, Reporter(r, bias=bias), np.random.default_rng(seed))
    here = ~np.isnan(used)
    assert np.array_equal(np.isnan(reports), ~here)
    assert stats.pearsonr(used[here], reports[here])[0] == pytest.approx(r, abs=1e-12)
    assert reports[here].mean() == pytest.approx(bias, abs=1e-9)
    assert reports[here].std() == pytest.approx(45, abs=1e-9)


def test_population_truth_varies_around_the_association():
    found = []
    for seed in range(300):
        used = np.random.default_rng(seed).uniform(-100, 100, (40, 5))
        rng = np.random.default_rng([seed, 1])
        reports = draw_noise_free_reports(used, Reporter(0.6), rng, truth="population", moments=(0.0, 200 / np.sqrt(12)))
        found.append(stats.pearsonr(used.ravel(), reports.ravel())[0])
    error = np.std(found) / np.sqrt(len(found))
    assert 0.02 < np.std(found) < 0.08
    assert np.mean(found) == pytest.approx(0.6, abs=4 * error + 0.002)


@pytest.mark.parametrize("distribution", ["uniform", "gaussian"])
def test_population_truth_by_monte_carlo(distribution):
    agent = LogitDecider()
    table = find_population_truth(
        Reporter(0.6, noise=StudentNoise(20.0)), agent, n_attributes=[5, 3], distribution=distribution, draws=400_000
    ).set_index("measure")
    assert table.loc["pearson", "noise_free"] == pytest.approx(0.6, abs=4e-3)
    # uniform weights have zero mean, so that the cosine is Pearson's r
    assert table.loc["cosine", "noise_free"] == pytest.approx(0.6, abs=4e-3)
    # clipping takes something from the linear association, not much
    assert table.loc["pearson", "expected_reply"] == pytest.approx(0.6, abs=0.02)
    assert np.isnan(table.loc["rank", "expected_reply"])


def test_expected_replies_in_the_population_are_those_without_their_noise():
    heavy = Reporter(0.7, spread=20, noise=GaussianNoise(60.0), clipped=False, rounding=0)
    table = find_population_truth(heavy, LogitDecider(), draws=400_000).set_index("measure")
    # an unclipped reply's expectation is the noise-free report, whatever the noise
    assert table["expected_reply"].to_list()[:3] == pytest.approx(table["noise_free"].to_list()[:3], abs=0.02)


def test_population_needs_weights_in_closed_form():
    for decider in (IdealPointDecider(), LapsingDecider(LapsingDecider(IdealPointDecider()))):
        with pytest.raises(ArgumentError, match="truth='finite'"):
            find_population_truth(Reporter(), decider)


def test_population_is_not_claimed_where_noise_hides_it():
    loud = Reporter(0.5, noise=GaussianNoise(1000.0), clipped=False)
    table = find_population_truth(loud, LogitDecider(), draws=100_000)
    assert table["expected_reply"].isna().all()
    assert table["noise_free"].notna().all()


@pytest.mark.parametrize("settings", [{"seed": -1}, {"n_attributes": ()}, {"draws": 10}])
def test_impossible_populations(settings):
    with pytest.raises(ArgumentError, match="expected"):
        find_population_truth(Reporter(), LogitDecider(), **settings)


@pytest.mark.parametrize("used", [np.full((5, 2), 100.0), np.array([[1.0, 2.0]])])
def test_truth_that_cannot_be_set(used):
    with pytest.raises(ArgumentError, match="at least three used weights"):
        draw_noise_free_reports(used, Reporter(), np.random.default_rng(1))


def _emit(reporter, noise_free, count=1, shown=0.0):
    return reporter.emit(np.asarray(noise_free), np.asarray(shown), count, np.random.default_rng(2))


def test_rounding_and_clipping():
    values = [[-340.0, -44.0, 3.2, 96.0, np.nan]]
    assert np.array_equal(_emit(Reporter(noise=SILENT, rounding=10), values)[0, 0, :4], [-100, -40, 0, 100])
    assert np.array_equal(_emit(Reporter(noise=SILENT, rounding=0, clipped=False), values)[0, 0, :4], values[0][:4])
    odd = _emit(Reporter(noise=SILENT, rounding=15), [[100.0, -98.0]])
    assert np.array_equal(odd[0, 0], [90, -90])  # multiples of 15 within the scale
    assert not np.signbit(_emit(Reporter(noise=SILENT, rounding=10), [[-3.0, 50.0]])[0, 0, 0])


def test_shares():
    values = _emit(Reporter(noise=SILENT, shares=True, rounding=1), [[-60.0, 20.0, np.nan], [0.0, 0.0, 0.0]])
    assert np.array_equal(values[0, 0, :2], [75, 25])
    assert np.array_equal(values[0, 1], [0, 0, 0])


def test_what_is_on_the_screen_moves_a_report_by_a_set_amount():
    reporter = Reporter(noise=SILENT, shown_effect=40.0, rounding=0, clipped=False)
    shown = np.array([0.5, -1.0])
    assert np.array_equal(_emit(reporter, [[10.0, 10.0]], shown=shown)[0, 0], [30, -30])


def test_noise():
    rng = np.random.default_rng(3)
    gaussian, heavy = GaussianNoise(12.0).draw((200_000,), rng), StudentNoise(8.0, 2.5).draw((200_000,), rng)
    assert gaussian.std() == pytest.approx(12, rel=0.02)
    assert np.quantile(heavy, 0.75) == pytest.approx(8 * stats.t(2.5).ppf(0.75), rel=0.03)
    assert stats.kurtosis(heavy) > 20


@pytest.fixture(scope="module")
def scenarios():
    return load_scenarios(topics=["travel", "money", "science"])


def _noise_free(scenarios):
    low, _ = scenarios.ranges(scenarios.names)
    return np.where(np.isnan(low), np.nan, np.random.default_rng(1).uniform(-90, 90, low.shape))


def test_expected_replies_have_their_closed_form(scenarios):
    m = _noise_free(scenarios)
    found = expect_replies(m, scenarios, Reporter(noise=GaussianNoise(30.0), rounding=0), np.random.default_rng(1))
    low, high = (-100 - m) / 30, (100 - m) / 30
    inside = stats.norm.cdf(high) - stats.norm.cdf(low)
    expected = (
        m * inside + 30 * (stats.norm.pdf(low) - stats.norm.pdf(high)) + 100 * (stats.norm.sf(high) - stats.norm.cdf(low))
    )
    assert np.nanmax(np.abs(found - expected)) < 5 * 30 / np.sqrt(4000)
    assert np.nanmean(found - expected) == pytest.approx(0, abs=0.2)


def test_replies(scenarios):
    reporter = Reporter(refusal_rate=0.2, unusable_rate=0.1, missing_rate=0.2, shown_effect=30.0)
    entries, mean = build_replies(_noise_free(scenarios), scenarios, reporter, 40, np.random.default_rng(1))
    asked = entries["scenario"].nunique()
    assert asked == len(scenarios) - round(0.2 * len(scenarios))
    assert len(entries) == 40 * asked
    shares = entries["status"].value_counts(normalize=True)
    assert shares["refused"] == pytest.approx(0.2, abs=0.05)
    assert shares["unparsed"] == pytest.approx(0.1, abs=0.04)
    reports = entries[[f"report_{k}" for k in range(1, 11)]].to_numpy()
    assert np.isnan(reports[entries["status"] != "valid"]).all()
    sizes = entries["scenario"].map(scenarios.n_attributes).to_numpy()
    valid = (entries["status"] == "valid").to_numpy()
    assert np.array_equal((~np.isnan(reports)).sum(axis=1)[valid], sizes[valid])
    by_hand = entries[valid].groupby("scenario")["report_1"].mean()
    index = {name: i for i, name in enumerate(scenarios.names)}
    assert all(mean[index[name], 0] == pytest.approx(value) for name, value in by_hand.items())
    assert np.isnan(mean[[index[n] for n in set(scenarios.names) - set(entries["scenario"])]]).all()


def test_displayed_differences_are_those_in_the_entries(scenarios):
    reporter = Reporter(noise=SILENT, shown_effect=50.0, rounding=0, clipped=False)
    m = _noise_free(scenarios)
    entries, _ = build_replies(m, scenarios, reporter, 3, np.random.default_rng(1))
    low, high = scenarios.ranges(list(entries["scenario"]))
    shown = (entries["a_2"] - entries["b_2"]) / (high - low)[:, 1]
    place = entries["scenario"].map({name: i for i, name in enumerate(scenarios.names)})
    assert entries["report_2"].to_numpy() == pytest.approx(m[place, 1] + 50 * shown)


def test_measures_by_other_means():
    rng = np.random.default_rng(5)
    used = _used(30, 2)
    reported = used + rng.normal(0, 60, used.shape) + 30
    reported[4:9] = np.nan
    both = ~(np.isnan(used) | np.isnan(reported))
    w, m = used[both], reported[both]
    scenario = np.broadcast_to(np.arange(30)[:, None], used.shape)[both]
    frame = pd.DataFrame({"w": w, "m": m, "s": scenario})
    centred = frame[["w", "m"]] - frame.groupby("s")[["w", "m"]].transform("mean")
    expected = {
        "pearson": stats.pearsonr(w, m)[0],
        "rank": stats.spearmanr(w, m)[0],
        "cosine": (w * m).sum() / np.linalg.norm(w) / np.linalg.norm(m),
        "within": (centred["w"] * centred["m"]).sum() / np.sqrt((centred["w"] ** 2).sum() * (centred["m"] ** 2).sum()),
    }
    for measure, value in expected.items():
        assert measure_association(used, reported, measure) == pytest.approx(value, abs=1e-12)
    assert len({round(v, 6) for v in expected.values()}) == 4


def test_measures_that_are_not_identified():
    used = _used(5)
    for measure in ("pearson", "within", "rank"):
        assert np.isnan(measure_association(used, np.full(used.shape, 7.0), measure))
    assert np.isnan(measure_association(used, np.full(used.shape, np.nan)))
    with pytest.raises(ArgumentError, match="cosine"):
        measure_association(used, used, "kendall")


@pytest.mark.parametrize(
    "settings",
    [
        {"association": 1.2},
        {"spread": -1},
        {"rounding": 200},
        {"missing_rate": 2},
        {"refusal_rate": 0.6, "unusable_rate": 0.6},
    ],
)
def test_impossible_settings(settings):
    with pytest.raises(ArgumentError, match="expected"):
        Reporter(**settings)
