"""Tests for anyone's estimators: agents with known weights, checks of recovery and calibration, and damaged archives.

``selfinterp_stats.testing.strategies`` has hypothesis strategies; it needs the extra ``testing``.
"""

from selfinterp_stats.tables.problems import ERROR_KINDS, WARNING_KINDS
from selfinterp_stats.testing.calibration import Calibration, assert_calibrated, normal_prior
from selfinterp_stats.testing.damage import DAMAGES, damage_files
from selfinterp_stats.testing.layout import encode_published, write_files
from selfinterp_stats.testing.recovery import Recovery, assert_recovers

__all__ = [
    "DAMAGES",
    "ERROR_KINDS",
    "WARNING_KINDS",
    "Calibration",
    "Recovery",
    "assert_calibrated",
    "assert_recovers",
    "damage_files",
    "encode_published",
    "normal_prior",
    "write_files",
]
