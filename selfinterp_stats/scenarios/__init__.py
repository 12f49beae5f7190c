"""Choice contexts that come with the package, and what is drawn for an experiment in them: options and target weights."""

from selfinterp_stats.scenarios.bundled import add_characters, list_topics, load_characters, load_scenarios
from selfinterp_stats.scenarios.options import OptionPairs, draw_option_pairs
from selfinterp_stats.scenarios.targets import draw_targets, draw_weights

__all__ = [
    "OptionPairs",
    "add_characters",
    "draw_option_pairs",
    "draw_targets",
    "draw_weights",
    "list_topics",
    "load_characters",
    "load_scenarios",
]
