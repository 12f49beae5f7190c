"""The four validated tables that every analysis starts from, and what can be wrong with them."""

from selfinterp_stats.tables.decisions import PREFERENCES, Decisions, make_decisions
from selfinterp_stats.tables.problems import DataError, Problem, Problems
from selfinterp_stats.tables.reports import REPORTERS, Reports, make_reports
from selfinterp_stats.tables.scenarios import Scenarios, make_scenarios
from selfinterp_stats.tables.targets import Targets, make_targets

__all__ = [
    "PREFERENCES",
    "REPORTERS",
    "DataError",
    "Decisions",
    "Problem",
    "Problems",
    "Reports",
    "Scenarios",
    "Targets",
    "make_decisions",
    "make_reports",
    "make_scenarios",
    "make_targets",
]
