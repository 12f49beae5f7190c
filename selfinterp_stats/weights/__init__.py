"""Normalised weights, from draws of slopes that any model has given."""

from selfinterp_stats.weights.normalise import SCALES, normalise_draws
from selfinterp_stats.weights.table import Weights, label_draws, make_weights

__all__ = ["SCALES", "Weights", "label_draws", "make_weights", "normalise_draws"]
