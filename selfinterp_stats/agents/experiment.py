"""Whole experiments of synthetic agents: the archive that they would leave, and the truth beside it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from selfinterp_stats.agents.agent import Agent
from selfinterp_stats.agents.block import Block, Design, simulate_decisions, simulate_reports
from selfinterp_stats.agents.reporters import TRUTHS
from selfinterp_stats.archive import Archive
from selfinterp_stats.archive.reading import warn_gaps
from selfinterp_stats.errors import ArgumentError, check_choice, check_range, check_sequence
from selfinterp_stats.scenarios import draw_targets, load_scenarios
from selfinterp_stats.seeding import check_seed
from selfinterp_stats.tables import Problems, Scenarios
from selfinterp_stats.tables.decisions import build_decisions
from selfinterp_stats.tables.reports import build_reports

__all__ = ["Experiment", "simulate_experiment"]

_TRUTH = (
    "base_model",
    "preferences",
    "reporter",
    "measure",
    "noise_free",
    "expected_reply",
    "mean_reply",
    "population_noise_free",
    "population_expected_reply",
    "n_weights",
    "n_replied",
)
_REPORTS = (
    "base_model",
    "preferences",
    "scenario",
    "slot",
    "attribute",
    "noise_free",
    "expected_reply",
    "mean_reply",
    "reporter",
)
_N_SCENARIOS = 200  # of the published study: 100 with instilled and 100 with native preferences


@dataclass(frozen=True)
class Experiment:
    """A simulated experiment.

    Attributes
    ----------
    archive : Archive
        What an analyst gets to see.
    truth : pandas.DataFrame
        One row for each reporter and measure: ``base_model, preferences, reporter, measure`` (pearson, within, cosine,
        rank), the association of used weights with ``noise_free`` reports, with the ``expected_reply`` (expectation of an
        emitted reply), with the ``mean_reply`` (mean of the valid replies that were emitted), the first two in the
        ``population`` (``population_noise_free, population_expected_reply``; NaN for truth "finite"), ``n_weights`` (all
        scenario-attributes) and ``n_replied`` (those with a valid reply, over which the mean reply counts).
    weights : pandas.DataFrame
        True used weights: ``base_model, preferences, scenario, slot, attribute, used`` (-100 to 100).
    reports : pandas.DataFrame
        True reports: the same keys with ``reporter``, and ``noise_free, expected_reply, mean_reply`` in points.
    """

    archive: Archive
    truth: pd.DataFrame
    weights: pd.DataFrame
    reports: pd.DataFrame

    def write(self, path: str | Path) -> Path:
        """Write a new folder with ``archive/`` and, beside it, ``truth.csv, true_weights.csv`` and ``true_reports.csv``.

        Parameters
        ----------
        path : str or pathlib.Path
            Folder to make.

        Returns
        -------
        pathlib.Path
            The folder; analyse ``path / "archive"``.

        Raises
        ------
        ArgumentError
            If `path` exists or cannot be made.
        """
        folder = Path(path)
        try:
            folder.mkdir(parents=True)
        except OSError as error:
            raise ArgumentError(
                "path", expected="a folder that can be made", got=str(error), remedy="choose another name"
            ) from error
        self.write_into(folder)
        return folder

    def write_into(self, folder: Path) -> None:
        """Write archive and truth into a folder that is there."""
        self.archive.write(folder / "archive")
        for name, table in (("truth", self.truth), ("true_weights", self.weights), ("true_reports", self.reports)):
            table.to_csv(folder / f"{name}.csv", index=False, float_format="%.12g", lineterminator="\n")


def simulate_experiment(
    scenarios: Scenarios | None = None,
    *,
    agents: Sequence[Agent] | None = None,
    n_instilled: int | None = None,
    n_trials: tuple[int, int] = (50, 100),
    n_replies: int = 10,
    truth: str = "finite",
    distribution: str = "uniform",
    counterbalanced: bool = False,
    probabilities: bool = False,
    seed: int = 1,
) -> Experiment:
    """Simulate an experiment like the published one, with agents whose weights and report accuracy are known.

    Target weights are drawn, "learned" with an error, and used in decisions; native preferences are drawn for each agent;
    reporters at every stage of training report on them.

    Parameters
    ----------
    scenarios : Scenarios, optional
        Choice contexts; the first 200 of ``load_scenarios()``, where not given.
    agents : sequence of Agent, optional
        The agents; one with default settings, where not given.
    n_instilled : int, optional
        How many of the scenarios, from the first on, have instilled preferences; half, where not given. The others have
        native ones.
    n_trials : tuple of int
        Trials of each scenario with instilled and with native preferences.
    n_replies : int
        Reports asked for in each scenario, by each reporter.
    truth : {"finite", "population"}
        Whether a reporter's association is exact in this experiment, or that of the population it is drawn from.
    distribution : {"uniform", "gaussian"}
        What weights are drawn from before they are divided by the largest.
    counterbalanced : bool
        Whether every pair of options is shown twice, in both orders.
    probabilities : bool
        Whether the decisions carry the probability of choosing A.
    seed : int
        Seed.

    Returns
    -------
    Experiment
        The archive with its truth.

    Raises
    ------
    ArgumentError
        If an argument has no usable value.

    References
    ----------
    The design is that of Plunkett, Morris, Reddy and Morales (2025), arXiv 2505.17120.

    Examples
    --------
    >>> from selfinterp_stats import load_scenarios, simulate_experiment
    >>> from selfinterp_stats.agents import Agent, Reporter
    >>> agent = Agent(reporters={"preference-trained": Reporter(association=0.6)})
    >>> experiment = simulate_experiment(load_scenarios(topics=["travel"]), agents=[agent], n_trials=(10, 10))
    >>> experiment.truth[["preferences", "measure", "noise_free"]].iloc[[0, 4]].round(6)
      preferences  measure  noise_free
    0   instilled  pearson         0.6
    4      native  pearson         0.6
    """
    scenarios = _default_scenarios() if scenarios is None else scenarios
    agents = [Agent()] if agents is None else agents
    names = scenarios.names
    n_instilled = len(names) // 2 if n_instilled is None else n_instilled
    _check(agents, len(names), n_instilled, n_trials, n_replies)
    check_choice("truth", truth, TRUTHS)
    check_seed(seed)
    targets = draw_targets(scenarios, only=names[:n_instilled], distribution=distribution, seed=seed)
    design = Design(targets, n_replies, truth, distribution, counterbalanced, probabilities, seed)
    decisions, weights, reported = [], [], []
    for agent in agents:
        for preferences, members, count in (
            ("instilled", names[:n_instilled], n_trials[0]),
            ("native", names[n_instilled:], n_trials[1]),
        ):
            if not members:
                continue
            block = Block(agent, preferences, _select(scenarios, members), design)
            decisions.append(simulate_decisions(block, count))
            weights.append(block.table(used=block.used))
            for stage, reporter in agent.reporters.items():
                if stage != "base" or preferences == "instilled":
                    reported.append(simulate_reports(block, stage, reporter))
    archive = _assemble(scenarios, design, decisions, [entries for entries, _, _ in reported])
    truths = [associations for _, associations, _ in reported]
    reports = [reports for _, _, reports in reported]
    return Experiment(
        archive,
        truth=pd.concat(truths, ignore_index=True) if truths else pd.DataFrame(columns=list(_TRUTH)),
        weights=pd.concat(weights, ignore_index=True),
        reports=pd.concat(reports, ignore_index=True) if reports else pd.DataFrame(columns=list(_REPORTS)),
    )


def _default_scenarios() -> Scenarios:
    every = load_scenarios()
    return _select(every, every.names[:_N_SCENARIOS])


def _select(scenarios: Scenarios, names: Sequence[str]) -> Scenarios:
    return Scenarios(scenarios.frame[scenarios.frame["scenario"].isin(names)].reset_index(drop=True))


def _check(agents: Sequence[Agent], n_scenarios: int, n_instilled: int, n_trials: tuple[int, int], n_replies: int) -> None:
    check_sequence("agents", agents, "Agent")
    for agent in agents:
        if not isinstance(agent, Agent):
            raise ArgumentError(
                "agents", expected="a sequence of Agent", got=repr(agent), remedy="pass agents=[Agent('agent-1')]"
            )
    if len({agent.name for agent in agents}) < len(agents):
        raise ArgumentError(
            "agents",
            expected="no two of the same name",
            got=", ".join(agent.name for agent in agents),
            remedy="name them Agent('agent-1'), Agent('agent-2')",
        )
    check_range("n_instilled", n_instilled, low=0, high=n_scenarios, whole=True)
    check_range("n_replies", n_replies, low=1, high=100_000, whole=True)
    if not hasattr(n_trials, "__len__") or len(n_trials) != 2:
        raise ArgumentError(
            "n_trials",
            expected="two numbers, of trials with instilled and with native preferences",
            got=repr(n_trials),
            remedy="pass n_trials=(50, 100)",
        )
    for count in n_trials:
        check_range("n_trials", count, low=1, high=1_000_000, whole=True)


def _assemble(
    scenarios: Scenarios,
    design: Design,
    decisions: Sequence[pd.DataFrame],
    replies: Sequence[pd.DataFrame],
) -> Archive:
    problems = Problems()
    slots = range(1, scenarios.n_slots + 1)
    tables = []
    for parts, values in ((decisions, ("a", "b")), (replies, ("report", "a", "b"))):
        frame = pd.concat(parts, ignore_index=True) if parts else pd.DataFrame()
        absent = [f"{value}_{slot}" for value in values for slot in slots if f"{value}_{slot}" not in frame.columns]
        # blocks of scenarios with fewer attributes than others have no columns for the last ones
        tables.append(frame.assign(**dict.fromkeys(absent, np.nan), row=np.arange(2, len(frame) + 2)))
    archive = Archive(
        path=None,
        scenarios=scenarios,
        # what reading finds in the files that Archive.write makes, in the same words
        decisions=build_decisions(tables[0], [], scenarios, "decisions.parquet", problems),
        reports=build_reports(tables[1], [], scenarios, "reports.parquet", problems),
        targets=design.targets,
        problems=problems,
        files=(),
    )
    warn_gaps(archive)
    return archive
