"""Reanalyses: computed, written as a folder, described on a screen."""

from selfinterp_stats.report.folder import write_reanalysis
from selfinterp_stats.report.reanalysis import Reanalysis, reanalyze
from selfinterp_stats.report.text import describe_reanalysis, encode_reanalysis

__all__ = ["Reanalysis", "describe_reanalysis", "encode_reanalysis", "reanalyze", "write_reanalysis"]
