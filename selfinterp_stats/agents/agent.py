"""An agent: a base model with its way of deciding and its ways of reporting."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType

from selfinterp_stats.agents.deciders import Decider, LogitDecider
from selfinterp_stats.agents.reporters import Reporter
from selfinterp_stats.errors import ArgumentError, check_range

__all__ = ["Agent", "name_models"]

_REPORTERS = MappingProxyType(
    {
        "base": Reporter(association=0.1),
        "preference-trained": Reporter(association=0.55),
        "introspection-trained": Reporter(association=0.75),
    }
)


@dataclass(frozen=True)
class Agent:
    """A base model: how it decides once it has been fine-tuned, and how it reports at each stage of training.

    Parameters
    ----------
    name : str
        Name of the base model.
    decider : Decider
        How it decides.
    instillation_noise : float
        Standard deviation, in points, by which the weights that it learned miss the target weights.
    reporters : mapping of str to Reporter
        By stage: "base" (asked about instilled preferences alone, as in the published study), "preference-trained" and
        "introspection-trained"; stages of any other name report on both kinds of preferences. The introspection-trained
        model is three: trained on the first half of the instilled scenarios it reports on the last, the reverse, and one
        trained on all reports on native preferences.
    """

    name: str = "agent"
    decider: Decider = field(default_factory=LogitDecider)
    instillation_noise: float = 20.0
    reporters: Mapping[str, Reporter] = field(default_factory=lambda: dict(_REPORTERS))

    def __post_init__(self) -> None:
        """Check the parameters."""
        check_range("instillation_noise", self.instillation_noise, low=0.0, high=1e6)
        if not hasattr(self.decider, "probability_of_a"):
            raise ArgumentError(
                "decider",
                expected="a decider",
                got=repr(self.decider),
                remedy="pass decider=LogitDecider(6.0), for example",
            )
        if not self.name:
            raise ArgumentError("name", expected="a name", got="an empty one", remedy="pass name='agent-1', for example")


def name_models(agent: str, stage: str, preferences: str, scenarios: Sequence[str]) -> dict[str, str]:
    """Model that reports on each scenario at a stage of training."""
    if stage == "base":
        return dict.fromkeys(scenarios, agent)
    if stage == "preference-trained":
        return dict.fromkeys(scenarios, f"{agent}:preferences")
    if stage == "introspection-trained" and preferences == "instilled":
        # no model reports on what it was trained to report on
        half = len(scenarios) // 2
        return {name: f"{agent}:introspection-{'last' if i < half else 'first'}" for i, name in enumerate(scenarios)}
    return dict.fromkeys(scenarios, f"{agent}:{'introspection-all' if stage == 'introspection-trained' else stage}")
