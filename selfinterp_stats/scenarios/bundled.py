"""The choice contexts of the package's own writing, and the characters to decide for."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.resources import files

import pandas as pd

from selfinterp_stats.errors import ArgumentError, check_sequence
from selfinterp_stats.seeding import check_seed, make_generator
from selfinterp_stats.tables import Scenarios, make_scenarios

__all__ = ["add_characters", "list_topics", "load_characters", "load_scenarios"]


def load_scenarios(*, topics: Sequence[str] | None = None, n_attributes: Sequence[int] | None = None) -> Scenarios:
    """Bundled choice contexts, most of them with five attributes, some with three, seven or ten.

    Parameters
    ----------
    topics : sequence of str, optional
        Walks of life to take them from, see ``list_topics``; all, where not given. They come in turn: one of the first
        topic, one of the second and so on, so that any number from the start is a mixture.
    n_attributes : sequence of int, optional
        Numbers of attributes to keep, ``[5]`` for example; all, where not given.

    Returns
    -------
    Scenarios
        Name, question, and each attribute's name, unit, low and high end.

    Raises
    ------
    ArgumentError
        If a topic is not known, or nothing is left.

    Examples
    --------
    >>> scenarios = load_scenarios(n_attributes=[5])
    >>> len(scenarios) >= 150, set(scenarios.n_attributes.values())
    (True, {5})
    """
    frame = _read_bundled()
    if topics is not None:
        check_sequence("topics", topics, "names")
        known = set(frame["topic"])
        for topic in topics:
            if topic not in known:
                raise ArgumentError(
                    "topics",
                    expected=f"some of {', '.join(sorted(known))}",
                    got=repr(topic),
                    remedy="list_topics() shows them with their numbers of scenarios",
                )
        frame = frame[frame["topic"].isin(list(topics))]
    if n_attributes is not None:
        check_sequence("n_attributes", n_attributes, "numbers")
        frame = frame[frame.groupby("scenario")["attribute"].transform("size").isin(list(n_attributes))]
    if frame.empty:
        raise ArgumentError(
            "n_attributes",
            expected="numbers of attributes that bundled scenarios have",
            got=repr(n_attributes),
            remedy="pass [3, 5, 7, 10] or leave it out",
        )
    first = frame.drop_duplicates("scenario")
    turn = first.groupby("topic").cumcount()
    order = pd.Series(turn.to_numpy(), index=first["scenario"].to_numpy())
    frame = frame.assign(turn=frame["scenario"].map(order)).sort_values("turn", kind="stable")
    return make_scenarios(frame.drop(columns=["topic", "turn"]).reset_index(drop=True))


def list_topics() -> dict[str, int]:
    """Walks of life that the bundled scenarios come from, with the number of scenarios of each.

    Examples
    --------
    >>> sum(list_topics().values()) >= 200
    True
    """
    first = _read_bundled().drop_duplicates("scenario")
    return {str(topic): int(count) for topic, count in first.groupby("topic", sort=False).size().items()}


def load_characters() -> list[str]:
    """Invented people to decide for; each fits into "Imagine you are ...".

    Examples
    --------
    >>> len(load_characters()) >= 100
    True
    """
    lines = files("selfinterp_stats.scenarios").joinpath("characters.txt").read_text(encoding="utf-8").splitlines()
    return [line for line in lines if line]


def add_characters(scenarios: Scenarios, characters: Sequence[str] | None = None, *, seed: int = 1) -> Scenarios:
    """Put a character in front of every question, so that a model has someone whose preferences it can learn or invent.

    Parameters
    ----------
    scenarios : Scenarios
        Any scenarios.
    characters : sequence of str, optional
        Whom to choose from; the bundled ones, where not given. Each is used once before any is used again.
    seed : int
        Seed of the assignment.

    Returns
    -------
    Scenarios
        The same with "Imagine you are <character>." before each question.

    Raises
    ------
    ArgumentError
        If there are no characters or the seed is none.

    Examples
    --------
    >>> two = add_characters(load_scenarios(), ["a retired ferry captain", "a choir leader"])
    >>> two.frame["question"].str.startswith("Imagine you are a ").all()
    np.True_
    """
    check_seed(seed)
    people = list(load_characters() if characters is None else characters)
    if not people:
        raise ArgumentError("characters", expected="at least one", got="none", remedy="leave it out for the bundled ones")
    rng = make_generator(seed, "characters")
    names = scenarios.names
    rounds = -(-len(names) // len(people))
    order = [people[i] for _ in range(rounds) for i in rng.permutation(len(people))]
    chosen = dict(zip(names, order, strict=False))
    frame = scenarios.frame.copy()
    frame["question"] = [
        f"Imagine you are {chosen[name]}. {question}".strip()
        for name, question in frame[["scenario", "question"]].itertuples(index=False)
    ]
    return Scenarios(frame)


def _read_bundled() -> pd.DataFrame:
    path = files("selfinterp_stats.scenarios").joinpath("scenarios.csv")
    with path.open(encoding="utf-8") as file:
        return pd.read_csv(file)
