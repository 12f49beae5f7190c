"""The scenarios of one agent with one kind of preferences: its weights, its decisions and its reports."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from selfinterp_stats.agents.agent import Agent, name_models
from selfinterp_stats.agents.deciders import ask_decider
from selfinterp_stats.agents.population import (
    DRAWS,
    draw_used_weights,
    find_moments,
    find_population_truth,
    instil,
)
from selfinterp_stats.agents.projection import find_used_weights
from selfinterp_stats.agents.replies import build_replies, expect_replies
from selfinterp_stats.agents.reporters import Reporter, draw_noise_free_reports
from selfinterp_stats.agents.truth import MEASURES, associate_expectations, measure_association
from selfinterp_stats.scenarios import draw_option_pairs, draw_weights
from selfinterp_stats.seeding import make_generator
from selfinterp_stats.tables import Scenarios, Targets

__all__ = ["Block", "Design", "simulate_decisions", "simulate_reports"]

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Design:
    """What all blocks of an experiment share.

    Attributes
    ----------
    targets : Targets
        Target weights of the instilled scenarios.
    n_replies : int
        Reports asked for in each scenario.
    truth, distribution : str
        See ``simulate_experiment``.
    counterbalanced, probabilities : bool
        See ``simulate_experiment``.
    seed : int
        Seed.
    """

    targets: Targets
    n_replies: int
    truth: str
    distribution: str
    counterbalanced: bool
    probabilities: bool
    seed: int


class Block:
    """Scenarios in which an agent has one kind of preferences, and the weights that it uses in them.

    Attributes
    ----------
    driving : numpy.ndarray
        What its decider is given, shape (scenarios, slots), NaN beyond a scenario's last attribute.
    used : numpy.ndarray
        Normalised used weights, same shape.
    """

    def __init__(self, agent: Agent, preferences: str, scenarios: Scenarios, design: Design) -> None:
        self.agent, self.preferences, self.scenarios, self.design = agent, preferences, scenarios, design
        self.names = scenarios.names
        self.n_attributes = np.array(list(scenarios.n_attributes.values()), dtype=np.int64)
        self.instillation_noise = agent.instillation_noise if preferences == "instilled" else 0.0
        self.driving = self._draw_driving_weights()
        self.used = np.full(self.driving.shape, np.nan)
        for size in np.unique(self.n_attributes):
            rows = self.n_attributes == size
            self.used[rows, :size] = find_used_weights(agent.decider, self.driving[rows, :size])

    def _draw_driving_weights(self) -> Floats:
        drawn = np.full((len(self.names), self.scenarios.n_slots), np.nan)
        aims = {str(name): group["target"].to_numpy() for name, group in self.design.targets.frame.groupby("scenario")}
        for i, (name, size) in enumerate(zip(self.names, self.n_attributes, strict=True)):
            rng = self.generator("weights", scenario=name)
            if self.preferences == "instilled":
                drawn[i, :size] = instil(aims[name], self.instillation_noise, rng)
            else:
                drawn[i, :size] = draw_weights(int(size), rng, distribution=self.design.distribution)[0]
        return drawn

    def generator(self, purpose: str, **labels: str) -> np.random.Generator:
        """Random numbers of this block for one purpose."""
        keys = {"agent": self.agent.name, "preferences": self.preferences}
        return make_generator(self.design.seed, purpose, **keys, **labels)

    def table(self, **columns: Floats) -> pd.DataFrame:
        """One row for each scenario-attribute, arrays (scenarios, slots) as columns."""
        index = self.scenarios.frame[["scenario", "slot", "attribute"]].reset_index(drop=True)
        # rows of a scenario need not stand together
        row = index["scenario"].map({name: i for i, name in enumerate(self.names)}).to_numpy()
        column = index["slot"].to_numpy() - 1
        index.insert(0, "preferences", self.preferences)
        index.insert(0, "base_model", self.agent.name)
        return index.assign(**{name: values[row, column] for name, values in columns.items()})


def simulate_decisions(block: Block, n_trials: int) -> pd.DataFrame:
    """Entries for ``build_decisions``: what the preference-trained model chose in every trial."""
    agent, design = block.agent, block.design
    pairs = draw_option_pairs(
        block.scenarios,
        n_trials=n_trials,
        counterbalanced=design.counterbalanced,
        purpose=f"decisions, {block.preferences}, {agent.name}",
        seed=design.seed,
    )
    a, b = pairs.positions()
    probability = np.concatenate(
        [
            ask_decider(agent.decider, a[i, :, :size], b[i, :, :size], block.driving[i, :size])
            for i, size in enumerate(block.n_attributes)
        ]
    )
    frame = pairs.frame()
    chosen_a = block.generator("choices").random(len(frame)) < probability
    return frame.assign(
        base_model=agent.name,
        preferences=block.preferences,
        model=f"{agent.name}:preferences",
        trial=frame["trial"].astype(str),
        chosen=np.where(chosen_a, "A", "B"),
        p_a=probability if design.probabilities else np.nan,
    )


def simulate_reports(block: Block, stage: str, reporter: Reporter) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """Replies at one stage of training.

    Returns
    -------
    entries : pandas.DataFrame
        For ``build_reports``.
    truth : pandas.DataFrame
        One row for each measure of association.
    reports : pandas.DataFrame
        True reports, one row for each scenario-attribute.
    """
    rng = block.generator("reports", stage=stage)
    keys = {"base_model": block.agent.name, "preferences": block.preferences, "reporter": stage}
    truth = block.design.truth
    noise_free = draw_noise_free_reports(
        block.used, reporter, rng, truth=truth, moments=_find_moments(block) if truth == "population" else None
    )
    halves = expect_replies(noise_free, block.scenarios, reporter, rng)
    entries, mean = build_replies(noise_free, block.scenarios, reporter, block.design.n_replies, rng)
    models = name_models(block.agent.name, stage, block.preferences, block.names)
    entries = entries.assign(model=[models[name] for name in entries["scenario"]], **keys)
    columns = {"noise_free": noise_free, "expected_reply": 0.5 * (halves[0] + halves[1]), "mean_reply": mean}
    rows = []
    for measure in MEASURES:
        found = {
            "noise_free": measure_association(block.used, noise_free, measure),
            "expected_reply": associate_expectations(block.used, *halves, measure),
            "mean_reply": measure_association(block.used, mean, measure),
        }
        rows.append({**keys, "measure": measure, **found})
    n_replied = int((~np.isnan(mean)).sum())
    associations = pd.DataFrame(rows).assign(
        **_population_columns(block, reporter), n_weights=int((~np.isnan(block.used)).sum()), n_replied=n_replied
    )
    return entries, associations, block.table(**columns).assign(reporter=stage)


def _find_moments(block: Block) -> tuple[float, float]:
    sizes = block.n_attributes.tolist()
    design = block.design
    return find_moments(
        draw_used_weights(block.agent.decider, sizes, design.distribution, block.instillation_noise, DRAWS, design.seed)
    )


def _population_columns(block: Block, reporter: Reporter) -> dict[str, Floats]:
    if block.design.truth == "finite":
        return dict.fromkeys(("population_noise_free", "population_expected_reply"), np.full(len(MEASURES), np.nan))
    population = find_population_truth(
        reporter,
        block.agent.decider,
        n_attributes=block.n_attributes.tolist(),
        distribution=block.design.distribution,
        instillation_noise=block.instillation_noise,
        seed=block.design.seed,
    )
    return {f"population_{name}": population[name].to_numpy() for name in ("noise_free", "expected_reply")}
