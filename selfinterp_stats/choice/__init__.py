"""Choice models: from decisions to the posterior of the weights behind them."""

from selfinterp_stats.choice.fit import ChoiceFit, ChoiceSpec
from selfinterp_stats.choice.fitting import fit_choices
from selfinterp_stats.choice.priors import (
    PAPER_PRIORS,
    Beta,
    ChoicePriors,
    Gamma,
    LogNormal,
    Normal,
    PooledPriors,
    StudentT,
)
from selfinterp_stats.choice.storage import read_fit

__all__ = [
    "PAPER_PRIORS",
    "Beta",
    "ChoiceFit",
    "ChoicePriors",
    "ChoiceSpec",
    "Gamma",
    "LogNormal",
    "Normal",
    "PooledPriors",
    "StudentT",
    "fit_choices",
    "read_fit",
]
