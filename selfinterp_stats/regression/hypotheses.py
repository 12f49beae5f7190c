"""Statements about parameters and how probable they are: hypothesis of brms."""

from __future__ import annotations

import ast
import operator
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from selfinterp_stats.errors import ArgumentError
from selfinterp_stats.regression.fit import RegressionFit
from selfinterp_stats.summaries import find_hdi

if TYPE_CHECKING:
    import xarray as xr

__all__ = ["Hypothesis", "evaluate_hypothesis"]

Floats = NDArray[np.float64]

_OPERATORS: Mapping[type, Callable[[Floats, Floats], Floats]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.Pow: operator.pow,
}
_FUNCTIONS = {"abs": np.abs, "exp": np.exp, "log": np.log, "sqrt": np.sqrt}


@dataclass(frozen=True)
class Hypothesis:
    """A statement about parameters.

    Attributes
    ----------
    statement : str
    values : numpy.ndarray
        Draws of the left side less the right side, (S,).
    estimate : float
        Median of the draws.
    hdi_low, hdi_high : float
        Highest-density interval.
    prob : float
        Its probability.
    posterior_probability : float
        Share of draws for which the statement is true.
    evidence_ratio : float
        Posterior odds: that probability over the opposite's, as brms has it for inequalities. They say something about the
        evidence where prior odds are known: NaN if a prior is improper.
    note : str
        Why there is no evidence ratio, or empty.
    """

    statement: str
    values: Floats
    estimate: float
    hdi_low: float
    hdi_high: float
    prob: float
    posterior_probability: float
    evidence_ratio: float
    note: str

    @property
    def draws(self) -> xr.DataArray:
        """Draws of the difference with labels: dimensions chain (one), draw and statement."""
        from selfinterp_stats.weights import label_draws

        return label_draws(self.values[None], pd.DataFrame({"statement": [self.statement]}), "statement", "difference")

    def summary(self) -> pd.DataFrame:
        """One row: ``statement, median, hdi_low, hdi_high, posterior_probability, evidence_ratio``."""
        row = {
            "statement": self.statement,
            "median": self.estimate,
            "hdi_low": self.hdi_low,
            "hdi_high": self.hdi_high,
            "posterior_probability": self.posterior_probability,
            "evidence_ratio": self.evidence_ratio,
        }
        table = pd.DataFrame([row])
        table.attrs["prob"] = self.prob
        return table

    def __str__(self) -> str:
        lines = [
            f"Hypothesis: {self.statement}",
            f"  difference {self.estimate:.3f} [{self.hdi_low:.3f}, {self.hdi_high:.3f}] (median, {self.prob:.0%} HDI)",
            f"  posterior probability {self.posterior_probability:.3f}",
            f"  {self.note}" if self.note else f"  evidence ratio {self.evidence_ratio:.3g}",
        ]
        return "\n".join(lines)

    __repr__ = __str__


def evaluate_hypothesis(fit: RegressionFit, statement: str) -> Hypothesis:
    """Posterior probability of an inequality between parameters.

    Parameters
    ----------
    fit : RegressionFit
    statement : str
        Two expressions around ``>`` or ``<``, of numbers, ``+ - * / **``, ``abs, exp, log, sqrt`` and parameters; names
        that are no plain words stand between backticks: "`reported_z:trained[True]` > 0".

    Returns
    -------
    Hypothesis

    Raises
    ------
    ArgumentError
        If the statement cannot be read, or names a parameter that is not there.
    """
    left, sign, right = _split(statement)
    with np.errstate(divide="ignore", invalid="ignore"):
        found = _evaluate(left, fit) - _evaluate(right, fit)
    difference = np.broadcast_to(found, (fit.values[0].size,))
    if not np.isfinite(difference).all():
        raise ArgumentError(
            "statement",
            expected="expressions that have a value at every draw",
            got=f"{statement!r}, without one at {int((~np.isfinite(difference)).sum())} draws",
            remedy="avoid divisions by zero and logarithms of what may be negative",
        )
    probability = float((difference > 0).mean() if sign == ">" else (difference < 0).mean())
    low, high = find_hdi(difference, fit.prob)
    note = "" if fit.priors.proper else "no evidence ratio: with improper (flat) priors there are no prior odds"
    ratio = np.nan
    if not note:
        ratio = probability / (1.0 - probability) if probability < 1.0 else np.inf
    return Hypothesis(
        statement=statement,
        values=np.array(difference),
        estimate=float(np.median(difference)),
        hdi_low=float(low),
        hdi_high=float(high),
        prob=fit.prob,
        posterior_probability=probability,
        evidence_ratio=ratio,
        note=note,
    )


def _split(statement: str) -> tuple[str, str, str]:
    if not isinstance(statement, str):
        raise ArgumentError(
            "statement", expected="text", got=type(statement).__name__, remedy="write 'a - b > 0', for example"
        )
    outside = re.sub(r"`[^`]*`", lambda match: "_" * len(match[0]), statement)
    signs = [match.start() for match in re.finditer(r"[<>]", outside)]
    if len(signs) != 1 or "=" in outside:
        raise ArgumentError(
            "statement",
            expected="two expressions around one > or <",
            got=repr(statement),
            remedy="write 'a - b > 0', for example; a point has posterior probability zero",
        )
    place = signs[0]
    return statement[:place].strip(), statement[place], statement[place + 1 :].strip()


def _evaluate(expression: str, fit: RegressionFit) -> Floats:
    quoted: dict[str, str] = {}

    def hide(match: re.Match[str]) -> str:
        quoted[f"quoted_{len(quoted)}"] = match[1]
        return f"quoted_{len(quoted) - 1}"

    try:
        tree = ast.parse(re.sub(r"`([^`]*)`", hide, expression), mode="eval").body
    except SyntaxError as error:
        raise _not_readable(expression) from error
    return np.asarray(_walk(tree, expression, fit, quoted), dtype=np.float64)


def _walk(node: ast.expr, expression: str, fit: RegressionFit, quoted: Mapping[str, str]) -> Floats:
    if isinstance(node, ast.Constant) and isinstance(node.value, (int, float)) and not isinstance(node.value, bool):
        return np.asarray(float(node.value))
    if isinstance(node, ast.Name):
        name = quoted.get(node.id, node.id)
        if name not in fit.names:
            raise ArgumentError(
                "statement",
                expected=f"parameters of the model ({', '.join(fit.names)})",
                got=repr(name),
                remedy="put names that are no plain words between backticks",
            )
        return fit.take(name)
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        return -_walk(node.operand, expression, fit, quoted)
    if isinstance(node, ast.BinOp) and type(node.op) in _OPERATORS:
        sides = (_walk(side, expression, fit, quoted) for side in (node.left, node.right))
        return _OPERATORS[type(node.op)](*sides)
    if (
        isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id in _FUNCTIONS
        and len(node.args) == 1
    ):
        return np.asarray(_FUNCTIONS[node.func.id](_walk(node.args[0], expression, fit, quoted)))
    raise _not_readable(expression)


def _not_readable(expression: str) -> ArgumentError:
    return ArgumentError(
        "statement",
        expected="numbers, parameters, + - * / ** and abs, exp, log, sqrt",
        got=repr(expression),
        remedy="put names that are no plain words between backticks",
    )
