"""What the files of a published archive are, told by their names."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

__all__ = ["FileRole", "recognise"]

Content = Literal["scenarios", "targets", "units", "decisions", "reports", "other", "unknown"]

# The base model's name comes first and may hold anything, dots and a suffix-like part included; matching it as short as
# possible leaves the longest suffix that is known.
_DECISIONS = re.compile(r"(?P<base>.+?)_instilled(?P<native>_latent)?_selections\.csv")
_REPORTS = re.compile(r"(?P<base>.+?)(?P<training>_instilled|_itrained_.+?)?(?P<native>_latent)?_weight_reports\.csv")
_FIXED: dict[str, Content] = {
    "scenarios.csv": "scenarios",
    "instilled_weights.csv": "targets",
    "candidate_scenarios.json": "units",
    "roles.csv": "other",
}
# Files of the layout that no estimator needs: the paper's own estimates, fine-tuning files, a list of model ids.
_OTHER = re.compile(r".+_regression_results\.csv|instill_\d+_prefs.*\.jsonl|instilled_weights_.*\.jsonl|model_info\.json")


@dataclass(frozen=True)
class FileRole:
    """Role of one file in the published layout.

    Attributes
    ----------
    name : str
        The file's name.
    content : str
        ``scenarios``, ``targets``, ``units``, ``decisions``, ``reports``, ``other`` (known and not needed) or ``unknown``.
    base_model : str
        For decisions and reports: what stands before the longest known suffix.
    preferences : str
        For decisions and reports: ``instilled`` or ``native``.
    reporter : str
        For reports: ``base``, ``preference-trained`` or ``introspection-trained``.
    """

    name: str
    content: Content
    base_model: str = ""
    preferences: str = ""
    reporter: str = ""


def recognise(name: str) -> FileRole:
    """Tell a file's role by its name.

    Examples
    --------
    >>> recognise("qwen2.5-7b_itrained_all_100_50ex_latent_weight_reports.csv")  # doctest: +NORMALIZE_WHITESPACE
    FileRole(name='qwen2.5-7b_itrained_all_100_50ex_latent_weight_reports.csv', content='reports',
             base_model='qwen2.5-7b', preferences='native', reporter='introspection-trained')
    """
    if name in _FIXED:
        return FileRole(name, _FIXED[name])
    if _OTHER.fullmatch(name):
        return FileRole(name, "other")
    if match := _DECISIONS.fullmatch(name):
        return FileRole(name, "decisions", match["base"], _preferences(match))
    if match := _REPORTS.fullmatch(name):
        training = match["training"]
        if training is None:
            reporter = "base"
        else:
            reporter = "preference-trained" if training == "_instilled" else "introspection-trained"
        return FileRole(name, "reports", match["base"], _preferences(match), reporter)
    return FileRole(name, "unknown")


def _preferences(match: re.Match[str]) -> str:
    return "native" if match["native"] else "instilled"
