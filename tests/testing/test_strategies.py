"""What the strategies draw is what they promise, for their users and for the damaged archives of our own tests."""

import csv
import dataclasses
import io
import warnings

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from selfinterp_stats import Archive, ArgumentError, SelfInterpWarning, load_scenarios, read_archive, simulate_experiment
from selfinterp_stats.agents import Agent, Decider, Reporter
from selfinterp_stats.testing import DAMAGES, damage_files, encode_published, strategies, write_files

SLOW = settings(max_examples=15, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])


@given(strategies.scenario_sets(min_scenarios=2, max_scenarios=3, max_attributes=4))
def test_scenario_sets(scenarios):
    assert 2 <= len(scenarios) <= 3
    assert set(scenarios.n_attributes.values()) <= {2, 3, 4}


@given(strategies.designs())
def test_designs(pairs):
    low, high = pairs.scenarios.ranges(pairs.names)
    assert np.nanmin(pairs.a - low[:, None]) >= 0
    assert np.nanmax(pairs.b - high[:, None]) <= 0


@given(strategies.deciders(), st.integers(0, 99))
def test_deciders(decider, seed):
    a, b = np.random.default_rng(seed).random((2, 20, 3))
    assert isinstance(decider, Decider)
    p = decider.probability_of_a(a, b, np.array([100.0, -30.0, 5.0]))
    assert ((p >= 0) & (p <= 1)).all()


@given(strategies.reporters(), strategies.agents(name="x"))
def test_reporters_and_agents(reporter, agent):
    assert isinstance(reporter, Reporter)
    assert isinstance(agent, Agent)
    assert agent.name == "x"


@SLOW
@given(strategies.experiments())
def test_experiments_have_the_truth_that_was_set(experiment):
    truth = experiment.truth
    if len(truth):
        pearson = truth.loc[truth["measure"] == "pearson", "noise_free"].to_numpy()
        assert np.abs(pearson[:, None] - [-1.0, -0.5, 0.0, 0.5, 0.9, 1.0]).min(axis=1).max() < 1e-12
    assert not experiment.archive.problems.errors


@SLOW
@given(strategies.archives())
def test_written_archives_are_read_again(tmp_path_factory, archive):
    folder = tmp_path_factory.mktemp("written") / "archive"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SelfInterpWarning)
        again = read_archive(archive.write(folder))
    for name in ("scenarios", "decisions", "reports", "targets"):
        pd.testing.assert_frame_equal(getattr(again, name).frame, getattr(archive, name).frame)


@SLOW
@given(st.data())
def test_tables(data):
    scenarios = data.draw(strategies.scenario_sets(min_scenarios=2, max_scenarios=2, min_attributes=3, max_attributes=3))
    assert set(data.draw(strategies.decision_tables(scenarios)).frame["scenario"]) == set(scenarios.names)
    assert set(data.draw(strategies.report_tables(scenarios)).frame["scenario"]) <= set(scenarios.names)
    assert set(data.draw(strategies.target_tables(scenarios)).frame["scenario"]) <= set(scenarios.names)


@SLOW
@given(strategies.damaged_archives())
def test_damaged_archives(damaged):
    files, kind = damaged
    assert kind in DAMAGES
    assert all(isinstance(content, bytes) or content is None for content in files.values())


@pytest.fixture(scope="module")
def archive() -> Archive:
    agent = Agent("m", reporters={stage: Reporter() for stage in ("base", "preference-trained", "introspection-trained")})
    scenarios = load_scenarios(topics=["travel"], n_attributes=[3, 5])
    return simulate_experiment(scenarios, agents=[agent], n_trials=(4, 4), n_replies=3, probabilities=True).archive


def test_published_files_say_what_the_archive_says(archive, tmp_path):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SelfInterpWarning)
        again = read_archive(write_files(encode_published(archive), tmp_path))
    pd.testing.assert_frame_equal(again.scenarios.frame, archive.scenarios.frame)

    def sort(frame, columns):
        return frame[columns].sort_values(columns, ignore_index=True)

    columns = list(archive.targets.frame.columns)
    pd.testing.assert_frame_equal(sort(again.targets.frame, columns), sort(archive.targets.frame, columns))

    columns = [c for c in archive.decisions.frame.columns if c not in ("trial", "model")]
    pd.testing.assert_frame_equal(
        sort(again.decisions.frame, columns), sort(archive.decisions.frame, columns), check_dtype=False
    )
    columns = [c for c in archive.reports.frame.columns if c not in ("reply", "status")]
    valid = archive.reports.frame.query("status == 'valid'")
    pd.testing.assert_frame_equal(sort(again.reports.frame, columns), sort(valid, columns), check_dtype=False)


def test_reporters_that_the_published_layout_does_not_know(archive):
    odd = simulate_experiment(
        archive.scenarios, agents=[Agent("m", reporters={"later": Reporter()})], n_trials=(4, 4)
    ).archive
    with pytest.raises(ArgumentError, match=r"Archive\.write keeps any reporter"):
        encode_published(odd)
    slash = simulate_experiment(archive.scenarios, agents=[Agent("a/b")], n_trials=(4, 4)).archive
    with pytest.raises(ArgumentError, match="names of models"):
        encode_published(slash)


@pytest.mark.parametrize("kind", sorted(DAMAGES))
def test_every_kind_of_damage_does_something(archive, kind):
    files = encode_published(archive)
    before = dict(files)
    assert any(damage_files(files, kind, seed) != files for seed in range(5))
    assert files == before, "the files given are not changed"
    assert damage_files(files, kind, 3) == damage_files(files, kind, 3)


def test_unknown_damage():
    with pytest.raises(ArgumentError, match="kind"):
        damage_files({"scenarios.csv": b"a"}, "fire", 1)


def test_a_dropped_column_is_dropped_everywhere():
    text = damage_files({"scenarios.csv": b"a,b\n1,2\n3,4\n"}, "dropped-column", 1)["scenarios.csv"].decode()
    assert {len(row) for row in csv.reader(io.StringIO(text))} == {1}


@pytest.mark.parametrize("kind", sorted(DAMAGES))
@pytest.mark.parametrize("content", [b"", b"\n", b"\xff\xfe", None, b'"open'])
def test_damaged_files_can_be_damaged_again(kind, content):
    assert isinstance(damage_files({"scenarios.csv": content}, kind, 1), dict)


def test_two_models_at_one_stage_do_not_share_a_file(archive):
    frame = archive.reports.frame.copy()
    part = (frame["reporter"] == "preference-trained") & (frame["reply"] == "1")
    frame.loc[part, "model"] = "m:another"
    doubled = dataclasses.replace(archive, reports=dataclasses.replace(archive.reports, frame=frame))
    with pytest.raises(ArgumentError, match="one model at each stage"):
        encode_published(doubled)
