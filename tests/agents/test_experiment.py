"""Whole simulated experiments: what is in the archive, and that the truth beside it is true."""

import numpy as np
import pandas as pd
import pytest

from selfinterp_stats import ArgumentError, Scenarios, check_archive, load_scenarios, read_archive, simulate_experiment
from selfinterp_stats.agents import (
    Agent,
    DeterministicDecider,
    GaussianNoise,
    LexicographicDecider,
    LogitDecider,
    Reporter,
    measure_association,
)

ALL_MISSING = Reporter(missing_rate=1.0)


@pytest.fixture(scope="module")
def scenarios():
    return load_scenarios(topics=["travel", "money"])


@pytest.fixture(scope="module")
def experiment(scenarios):
    agents = [
        Agent("first", LogitDecider(6.0, 0.5)),
        Agent(
            "second",
            DeterministicDecider(),
            instillation_noise=0.0,
            reporters={
                "preference-trained": Reporter(0.4, noise=GaussianNoise(40.0), missing_rate=0.3),
                "later": Reporter(-0.5),
            },
        ),
    ]
    return simulate_experiment(scenarios, agents=agents, n_trials=(20, 30), n_replies=6, seed=4)


def test_decisions(experiment, scenarios):
    frame = experiment.archive.decisions.frame
    counts = frame.groupby(["base_model", "preferences", "scenario"]).size()
    assert len(counts) == 2 * len(scenarios)
    assert (counts.xs("instilled", level="preferences") == 20).all()
    assert (counts.xs("native", level="preferences") == 30).all()
    assert frame["p_a"].isna().all()
    instilled = set(frame.loc[frame["preferences"] == "instilled", "scenario"])
    assert set(experiment.archive.targets.frame["scenario"]) == instilled == set(scenarios.names[:15])


def test_choices_follow_the_true_weights(experiment, scenarios):
    """A deterministic decider's every choice is the better option under the stored weights."""
    frame = experiment.archive.decisions.frame.query("base_model == 'second'")
    used = experiment.weights.query("base_model == 'second'")
    table = used.pivot(index="scenario", columns="slot", values="used").reindex(frame["scenario"]).to_numpy()
    low, high = scenarios.ranges(list(frame["scenario"]))
    slots = range(1, scenarios.n_slots + 1)
    a, b = (frame[[f"{side}_{k}" for k in slots]].to_numpy() for side in "ab")
    advantage = np.nansum((a - b) / (high - low) * table, axis=1)
    clear = np.abs(advantage) > 1e-9
    assert ((advantage > 0) == (frame["chosen"] == "A").to_numpy())[clear].all()


def test_without_noise_the_weights_used_are_the_targets(experiment):
    used = experiment.weights.query("base_model == 'second' and preferences == 'instilled'")
    merged = used.merge(experiment.archive.targets.frame, on=["scenario", "slot"])
    assert merged["used"].to_numpy() == pytest.approx(merged["target"].to_numpy())
    learned = experiment.weights.query("base_model == 'first' and preferences == 'instilled'")
    merged = learned.merge(experiment.archive.targets.frame, on=["scenario", "slot"])
    assert 0.8 < merged["used"].corr(merged["target"]) < 0.99


def test_truth_is_what_the_tables_say(experiment):
    truth = experiment.truth.set_index(["base_model", "preferences", "reporter", "measure"])
    assert set(truth.index.get_level_values("reporter")) == {
        "base",
        "preference-trained",
        "introspection-trained",
        "later",
    }
    keys = ["base_model", "preferences", "reporter"]
    for group, reports in experiment.reports.groupby(keys):
        merged = reports.merge(experiment.weights, on=["base_model", "preferences", "scenario", "slot"])
        used, noise_free, mean = (
            merged.pivot(index="scenario", columns="slot", values=name).to_numpy()
            for name in ("used", "noise_free", "mean_reply")
        )
        for measure in ("pearson", "within", "cosine", "rank"):
            row = truth.loc[(*group, measure)]
            assert row["noise_free"] == pytest.approx(measure_association(used, noise_free, measure), abs=1e-12)
            assert row["mean_reply"] == pytest.approx(measure_association(used, mean, measure), abs=1e-12)
            assert row["n_replied"] == (~np.isnan(mean)).sum()
    assert truth.loc[("second", "native", "later", "pearson"), "noise_free"] == pytest.approx(-0.5, abs=1e-12)
    assert truth["population_noise_free"].isna().all()


def test_mean_replies_are_those_of_the_archive(experiment):
    frame = experiment.archive.reports.frame
    mean = frame[frame["status"] == "valid"].groupby(["base_model", "preferences", "reporter", "scenario", "slot"])[
        "report"
    ]
    stored = experiment.reports.dropna(subset="mean_reply")
    stored = stored.set_index(["base_model", "preferences", "reporter", "scenario", "slot"])["mean_reply"]
    pd.testing.assert_series_equal(mean.mean().sort_index(), stored.sort_index(), check_names=False)


def test_no_model_reports_on_what_it_was_trained_to_report_on(experiment, scenarios):
    frame = experiment.archive.reports.frame.query("base_model == 'first' and reporter == 'introspection-trained'")
    instilled = frame[frame["preferences"] == "instilled"]
    by_model = instilled.groupby("model")["scenario"].unique().map(set)
    assert by_model["first:introspection-first"] == set(scenarios.names[7:15])
    assert by_model["first:introspection-last"] == set(scenarios.names[:7])
    assert set(frame.loc[frame["preferences"] == "native", "model"]) == {"first:introspection-all"}
    assert "native" not in set(experiment.archive.reports.frame.query("reporter == 'base'")["preferences"])


def test_written_and_read_again(experiment, tmp_path):
    folder = experiment.write(tmp_path / "experiment")
    assert sorted(p.name for p in folder.iterdir()) == ["archive", "true_reports.csv", "true_weights.csv", "truth.csv"]
    assert not check_archive(folder / "archive").errors
    with pytest.warns(UserWarning, match="decisions-without-reports"):
        archive = read_archive(folder / "archive")
    pd.testing.assert_frame_equal(archive.decisions.frame, experiment.archive.decisions.frame)
    pd.testing.assert_frame_equal(archive.reports.frame, experiment.archive.reports.frame)
    truth = pd.read_csv(folder / "truth.csv")
    assert truth["noise_free"].to_numpy() == pytest.approx(experiment.truth["noise_free"].to_numpy(), abs=1e-11)
    with pytest.raises(ArgumentError, match="can be made"):
        experiment.write(folder)


def test_seeds(scenarios):
    def simulate(seed):
        return simulate_experiment(scenarios, n_trials=(5, 5), n_replies=2, seed=seed)

    first, again, other = simulate(1), simulate(1), simulate(2)
    pd.testing.assert_frame_equal(first.archive.decisions.frame, again.archive.decisions.frame)
    pd.testing.assert_frame_equal(first.reports, again.reports)
    assert not first.weights["used"].equals(other.weights["used"])


def test_population_truth(scenarios):
    experiment = simulate_experiment(
        scenarios, agents=[Agent(reporters={"preference-trained": Reporter(0.6)})], n_trials=(5, 5), truth="population"
    )
    pearson = experiment.truth.query("measure == 'pearson'")
    assert pearson["population_noise_free"].to_numpy() == pytest.approx(0.6, abs=0.004)
    assert (pearson["noise_free"] - 0.6).abs().min() > 1e-6


def test_probabilities_and_counterbalancing(scenarios):
    experiment = simulate_experiment(scenarios, n_trials=(10, 10), counterbalanced=True, probabilities=True)
    frame = experiment.archive.decisions.frame
    assert frame["p_a"].between(0, 1).all()
    assert ((frame["p_a"] > 0.5) == (frame["chosen"] == "A")).mean() > 0.8


def test_deciders_without_closed_form(scenarios):
    few = load_scenarios(topics=["travel"], n_attributes=[5])
    experiment = simulate_experiment(few, agents=[Agent(decider=LexicographicDecider())], n_trials=(5, 5))
    assert experiment.truth.query("measure == 'pearson'")["noise_free"].round(9).isin([0.1, 0.55, 0.75]).all()
    with pytest.raises(ArgumentError, match="truth='finite'"):
        simulate_experiment(few, agents=[Agent(decider=LexicographicDecider())], n_trials=(5, 5), truth="population")


def test_all_native_and_nothing_reported(scenarios):
    experiment = simulate_experiment(
        scenarios, n_instilled=0, agents=[Agent(reporters={"later": ALL_MISSING})], n_trials=(5, 5)
    )
    assert set(experiment.archive.decisions.frame["preferences"]) == {"native"}
    assert len(experiment.archive.reports) == 0
    assert experiment.truth["mean_reply"].isna().all()
    assert experiment.truth["n_replied"].eq(0).all()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"agents": []}, "one or more"),
        ({"agents": Agent()}, "a sequence of Agent"),
        ({"agents": ["m"]}, "a sequence of Agent"),
        ({"n_trials": 50}, "two numbers"),
        ({"n_trials": (50.0, 50.0)}, "a whole number"),
        ({"n_replies": 2.5}, "a whole number"),
        ({"agents": [Agent(), Agent()]}, "no two of the same name"),
        ({"n_instilled": 31}, "n_instilled"),
        ({"n_trials": (0, 5)}, "n_trials"),
        ({"n_replies": 0}, "n_replies"),
        ({"truth": "exact"}, "finite"),
        ({"distribution": "cauchy"}, "uniform"),
        ({"seed": -1}, "seed"),
    ],
)
def test_impossible_settings(scenarios, settings, message):
    with pytest.raises(ArgumentError, match=message):
        simulate_experiment(scenarios, **settings)


def test_impossible_agents():
    with pytest.raises(ArgumentError, match="name"):
        Agent("")
    with pytest.raises(ArgumentError, match="instillation_noise"):
        Agent(instillation_noise=-1)
    with pytest.raises(ArgumentError, match="decider"):
        Agent(decider="logit")
    with pytest.raises(ArgumentError, match="noise"):
        Reporter(noise=5)


def test_rows_of_a_scenario_need_not_stand_together(scenarios):
    """The same tables, whichever way the rows of the scenarios are ordered."""
    mixed = Scenarios(scenarios.frame.sort_values(["slot", "scenario"], kind="stable", ignore_index=True))
    agent = Agent(instillation_noise=0.0, reporters={"preference-trained": Reporter(noise=GaussianNoise(0.0))})
    experiment = simulate_experiment(mixed, agents=[agent], n_trials=(5, 5))
    merged = experiment.weights.merge(experiment.archive.targets.frame, on=["scenario", "slot", "attribute"])
    assert merged["used"].to_numpy() == pytest.approx(merged["target"].to_numpy())
    keys = ["preferences", "scenario", "slot", "attribute"]
    replies = experiment.archive.reports.frame.groupby(keys)["report"].mean().reset_index()
    merged = experiment.reports.merge(replies, on=keys)
    assert len(merged) == len(experiment.reports)
    assert merged["mean_reply"].to_numpy() == pytest.approx(merged["report"].to_numpy())


@pytest.mark.parametrize("sd", [100.0, 400.0])
def test_expected_replies_are_not_attenuated_by_their_own_noise(scenarios, sd):
    reporter = Reporter(association=1.0, spread=45.0, noise=GaussianNoise(sd), clipped=False, rounding=0)
    agent = Agent(reporters={"preference-trained": reporter})
    truth = simulate_experiment(scenarios, agents=[agent], n_trials=(5, 5)).truth.set_index(["preferences", "measure"])
    # the expectation of such a reply is the noise-free report
    assert truth.loc[("native", "pearson"), "expected_reply"] == pytest.approx(1, abs=0.02)
    assert truth.loc[("native", "cosine"), "expected_reply"] == pytest.approx(1, abs=0.02)


def test_without_reporters_the_truth_is_an_empty_table(scenarios):
    experiment = simulate_experiment(scenarios, agents=[Agent(reporters={})], n_trials=(5, 5))
    assert len(experiment.truth.query("measure == 'pearson'")) == 0
    assert list(experiment.reports.columns[:3]) == ["base_model", "preferences", "scenario"]


class Careless:
    """A user's decider that returns what it should not."""

    def __init__(self, answer):
        self.answer = answer

    def probability_of_a(self, a, b, weights):
        return self.answer(len(a))

    def used_weights(self, weights):
        return 0.02 * weights


@pytest.mark.parametrize("answer", [lambda n: 0.5, lambda n: np.full(n, np.nan), lambda n: np.full(n, 7.0)])
def test_deciders_are_checked(scenarios, answer):
    with pytest.raises(ArgumentError, match="probabilities from probability_of_a"):
        simulate_experiment(scenarios, agents=[Agent(decider=Careless(answer))], n_trials=(5, 5))


def test_used_weights_of_any_scale_are_normalised(scenarios):
    agent = Agent(decider=Careless(lambda n: np.full(n, 0.5)), reporters={})
    used = simulate_experiment(scenarios, agents=[agent], n_trials=(5, 5)).weights
    assert used.groupby(["preferences", "scenario"])["used"].agg(lambda w: w.abs().max()).eq(100).all()
