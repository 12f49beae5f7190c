"""The bundled choice contexts: units, ranges, duplicates, and that they are our own."""

import json

import numpy as np
import pytest

from selfinterp_stats import ArgumentError, add_characters, list_topics, load_characters, load_scenarios


@pytest.fixture(scope="module")
def scenarios():
    return load_scenarios()


def test_enough_of_them_from_many_walks_of_life(scenarios):
    assert len(scenarios) >= 200
    topics = list_topics()
    assert len(topics) >= 10
    assert sum(topics.values()) == len(scenarios)
    assert min(topics.values()) >= 10


def test_numbers_of_attributes(scenarios):
    sizes = np.array(list(scenarios.n_attributes.values()))
    assert set(sizes) == {3, 5, 7, 10}
    assert (sizes == 5).mean() > 0.75
    assert all((sizes == k).sum() >= 10 for k in (3, 7, 10))


def test_every_attribute_has_a_unit_and_a_name_without_it(scenarios):
    frame = scenarios.frame
    assert (frame["unit"].str.len() > 0).all()
    assert frame["attribute"].str.fullmatch(r"[a-z][a-z0-9' -]*").all()
    assert not any(
        unit in name.split() for name, unit in frame[["attribute", "unit"]].itertuples(index=False) if unit == "euros"
    )


def test_ranges_are_sensible(scenarios):
    frame = scenarios.frame
    assert (frame["high"] > frame["low"]).all()
    # below zero there are temperatures alone
    assert frame.loc[frame["low"] < 0, "unit"].eq("degrees Celsius").all()
    percent = frame[frame["unit"].str.startswith("percent") & ~frame["unit"].str.contains("per ")]
    assert percent["high"].max() <= 100
    points = frame[frame["unit"] == "points out of 10"]
    assert len(points)
    assert points["high"].max() <= 10


def test_nothing_stands_twice(scenarios):
    frame = scenarios.frame
    assert len(set(scenarios.names)) == len(scenarios)
    first = frame.drop_duplicates("scenario")
    assert first["question"].is_unique
    assert first["question"].str.fullmatch(r"[A-Z].*\?").all()
    sets = frame.groupby("scenario")["attribute"].agg(frozenset)
    assert sets.is_unique
    assert not frame.duplicated(["scenario", "attribute"]).any()


@pytest.mark.archive
def test_none_is_taken_from_the_published_archive(scenarios, published):
    candidates = json.loads((published / "candidate_scenarios.json").read_text(encoding="utf-8"))
    assert not set(scenarios.names) & {c["short_name"] for c in candidates}
    assert not set(scenarios.frame["question"]) & {c["question"] for c in candidates}
    theirs = {frozenset(a["name"].replace("_", " ") for a in c["attributes"]) for c in candidates}
    ours = scenarios.frame.groupby("scenario")["attribute"].agg(frozenset)
    assert not theirs & set(ours)


def test_topics_come_in_turn():
    topics = list(list_topics())
    first = load_scenarios().names[: len(topics)]
    homes = [next(t for t in topics if name in load_scenarios(topics=[t]).names) for name in first]
    assert homes == topics


def test_selection():
    found = load_scenarios(topics=["travel", "money"], n_attributes=[3])
    assert set(found.n_attributes.values()) == {3}
    with pytest.raises(ArgumentError, match="list_topics"):
        load_scenarios(topics=["astrology"])
    for settings in ({"topics": "travel"}, {"topics": []}, {"n_attributes": 5}):
        with pytest.raises(ArgumentError, match="a sequence of"):
            load_scenarios(**settings)
    with pytest.raises(ArgumentError, match="3, 5, 7, 10"):
        load_scenarios(n_attributes=[4])


def test_characters(scenarios):
    people = load_characters()
    assert len(people) == len(set(people)) >= 100
    assert all(person.startswith(("a ", "an ", "the ")) and not person.endswith(".") for person in people)
    described = add_characters(scenarios, seed=4)
    questions = described.frame.drop_duplicates("scenario")["question"]
    used = questions.str.extract(r"^Imagine you are (.*?)\. [A-Z]")[0]
    assert used.isin(people).all()
    assert used.value_counts().max() <= 2  # each once before any twice
    assert add_characters(scenarios, seed=5).frame["question"].ne(described.frame["question"]).any()
    with pytest.raises(ArgumentError, match="at least one"):
        add_characters(scenarios, [])
