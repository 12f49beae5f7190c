"""The command ``selfinterp``."""

from selfinterp_stats.cli.main import main

__all__ = ["main"]
