"""hypothesis strategies for everything that an analysis starts from. They need the extra ``testing``.

Values are small on purpose: a failing example is to be read by a person.
"""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd
from hypothesis import strategies as st

from selfinterp_stats.agents import (
    Agent,
    Decider,
    DeterministicDecider,
    Experiment,
    GaussianNoise,
    IdealPointDecider,
    LapsingDecider,
    LexicographicDecider,
    LogitDecider,
    Noise,
    OneAttributeDecider,
    Reporter,
    StudentNoise,
    simulate_experiment,
)
from selfinterp_stats.archive import Archive
from selfinterp_stats.scenarios import OptionPairs, draw_option_pairs
from selfinterp_stats.tables import Decisions, Reports, Scenarios, Targets, make_scenarios
from selfinterp_stats.testing.damage import DAMAGES, damage_files
from selfinterp_stats.testing.layout import Files, encode_published

__all__ = [
    "agents",
    "archives",
    "damaged_archives",
    "deciders",
    "decision_tables",
    "designs",
    "experiments",
    "report_tables",
    "reporters",
    "scenario_sets",
    "target_tables",
]

_SEEDS = st.integers(0, 2**31 - 1)
# what people call things: words, blanks, accents, other scripts, marks that CSV and Markdown take for something
_NAMES = st.text(st.sampled_from("abcxyz019 _-.,;:'\"|%#éßжλ東"), min_size=1, max_size=12).map(str.strip).filter(bool)


@st.composite
def scenario_sets(
    draw: st.DrawFn, *, min_scenarios: int = 1, max_scenarios: int = 4, min_attributes: int = 2, max_attributes: int = 6
) -> Scenarios:
    """Scenarios with odd names, ranges of all sizes and differing numbers of attributes.

    Parameters
    ----------
    min_scenarios, max_scenarios : int
        How many.
    min_attributes, max_attributes : int
        Attributes of each, 2 to 20.

    Returns
    -------
    hypothesis strategy
        Of ``Scenarios``.
    """
    names = draw(st.lists(_NAMES, min_size=min_scenarios, max_size=max_scenarios, unique=True))
    rows = []
    for name in names:
        attributes = draw(st.lists(_NAMES, min_size=min_attributes, max_size=max_attributes, unique=True))
        for attribute in attributes:
            low = draw(st.sampled_from([0, 1, -20, 0.5, 1000, -0.004]))
            width = draw(st.sampled_from([1, 4, 100, 0.05, 2.5, 1e6]))
            rows.append((name, f"Which {name}?", attribute, draw(st.sampled_from(["euros", "km", ""])), low, low + width))
    return make_scenarios(pd.DataFrame(rows, columns=["scenario", "question", "attribute", "unit", "low", "high"]))


@st.composite
def designs(draw: st.DrawFn, scenarios: Scenarios | None = None, *, max_trials: int = 30) -> OptionPairs:
    """Pairs of options, counterbalanced or not.

    Parameters
    ----------
    scenarios : Scenarios, optional
        Where they belong; drawn, where not given.
    max_trials : int
        Most trials of a scenario.

    Returns
    -------
    hypothesis strategy
        Of ``OptionPairs``.
    """
    of = draw(scenario_sets()) if scenarios is None else scenarios
    counterbalanced = draw(st.booleans())
    n_trials = draw(st.integers(1, max(1, max_trials // 2))) * 2 if counterbalanced else draw(st.integers(1, max_trials))
    return draw_option_pairs(of, n_trials=n_trials, counterbalanced=counterbalanced, seed=draw(_SEEDS))


def deciders() -> st.SearchStrategy[Decider]:
    """Deciders of every kind, lapsing ones around any of the others."""
    consistency = st.sampled_from([0.0, 0.5, 2.0, 6.0, 30.0])
    plain: st.SearchStrategy[Decider] = st.one_of(
        st.builds(LogitDecider, consistency, st.sampled_from([-2.0, 0.0, 0.4])),
        st.builds(DeterministicDecider),
        st.builds(OneAttributeDecider, consistency),
        # less consistent ones, or with an ideal in the middle, have no used weights to speak of
        st.builds(IdealPointDecider, st.sampled_from([6.0, 30.0]), st.sampled_from([0.2, 0.8, 1.0])),
        st.builds(LexicographicDecider, st.sampled_from([0.0, 0.1, 0.5])),
    )
    share = st.sampled_from([0.0, 0.1, 0.5, 1.0])
    return st.one_of(plain, st.builds(LapsingDecider, plain, share, share))


def reporters() -> st.SearchStrategy[Reporter]:
    """Reporters with any association, noise, way of rounding and gaps."""
    noises: st.SearchStrategy[Noise] = st.one_of(
        st.builds(GaussianNoise, st.sampled_from([0.0, 10.0, 60.0])), st.builds(StudentNoise, st.sampled_from([5.0, 30.0]))
    )
    return st.builds(
        Reporter,
        association=st.sampled_from([-1.0, -0.5, 0.0, 0.5, 0.9, 1.0]),
        spread=st.sampled_from([10.0, 45.0, 90.0]),
        bias=st.sampled_from([0.0, 20.0, -50.0]),
        noise=noises,
        shown_effect=st.sampled_from([0.0, 30.0]),
        rounding=st.sampled_from([0.0, 1.0, 10.0]),
        clipped=st.booleans(),
        shares=st.booleans(),
        refusal_rate=st.sampled_from([0.0, 0.3]),
        unusable_rate=st.sampled_from([0.0, 0.3]),
        missing_rate=st.sampled_from([0.0, 0.4]),
    )


@st.composite
def agents(draw: st.DrawFn, *, name: str = "agent") -> Agent:
    """An agent with any decider, and with a reporter at some of the published stages of training."""
    stages = draw(
        st.lists(st.sampled_from(["base", "preference-trained", "introspection-trained"]), unique=True, max_size=3)
    )
    return Agent(
        name,
        draw(deciders()),
        instillation_noise=draw(st.sampled_from([0.0, 20.0, 200.0])),
        reporters={stage: draw(reporters()) for stage in stages},
    )


@st.composite
def experiments(draw: st.DrawFn, scenarios: Scenarios | None = None, *, max_trials: int = 12) -> Experiment:
    """A small experiment of one or two agents.

    Parameters
    ----------
    scenarios : Scenarios, optional
        Where they decide; drawn, where not given.
    max_trials : int
        Most trials of a scenario.

    Returns
    -------
    hypothesis strategy
        Of ``Experiment``.
    """
    of = draw(scenario_sets(min_scenarios=2)) if scenarios is None else scenarios
    names = draw(st.sampled_from([("agent",), ("agent", "gpt-4o_v2.5")]))
    trials = st.integers(1, max_trials)
    return simulate_experiment(
        of,
        agents=[draw(agents(name=name)) for name in names],
        n_instilled=draw(st.sampled_from(_possible_cuts(of))),
        n_trials=(draw(trials), draw(trials)),
        n_replies=draw(st.integers(1, 4)),
        distribution=draw(st.sampled_from(["uniform", "gaussian"])),
        probabilities=draw(st.booleans()),
        seed=draw(_SEEDS),
    )


def _possible_cuts(scenarios: Scenarios) -> list[int]:
    """Numbers of instilled scenarios that leave either kind with no weight, or with enough to set a correlation."""
    sizes = list(scenarios.n_attributes.values())
    parts = [(cut, sum(sizes[:cut]), sum(sizes[cut:])) for cut in range(len(sizes) + 1)]
    return [cut for cut, first, last in parts if all(part == 0 or part > 2 for part in (first, last))]


def archives(scenarios: Scenarios | None = None, *, max_trials: int = 12) -> st.SearchStrategy[Archive]:
    """Archives of small experiments; arguments as for ``experiments``."""
    return experiments(scenarios, max_trials=max_trials).map(lambda experiment: experiment.archive)


def decision_tables(scenarios: Scenarios | None = None) -> st.SearchStrategy[Decisions]:
    """Decisions of small experiments."""
    return archives(scenarios).map(lambda archive: archive.decisions)


def report_tables(scenarios: Scenarios | None = None) -> st.SearchStrategy[Reports]:
    """Reports of small experiments; some are empty."""
    return archives(scenarios).map(lambda archive: archive.reports)


def target_tables(scenarios: Scenarios | None = None) -> st.SearchStrategy[Targets]:
    """Target weights of small experiments; some are empty."""
    return archives(scenarios).map(lambda archive: archive.targets)


@st.composite
def damaged_archives(draw: st.DrawFn, files: Mapping[str, bytes | None] | None = None) -> tuple[Files, str]:
    """Files of an archive in the published layout, one of them damaged in one way.

    Parameters
    ----------
    files : mapping of str to bytes, optional
        What to damage; the files of a small experiment, where not given.

    Returns
    -------
    hypothesis strategy
        Of (files, kind of damage); ``write_files`` writes them.
    """
    whole = encode_published(draw(archives())) if files is None else files
    kind = draw(st.sampled_from(sorted(DAMAGES)))
    return damage_files(whole, kind, draw(_SEEDS)), kind
