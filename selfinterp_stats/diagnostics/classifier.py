"""The choice model of a single scenario as a scikit-learn classifier, for its splitters, metrics and pipelines."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils.multiclass import check_classification_targets, type_of_target
from sklearn.utils.validation import check_is_fitted, validate_data

from selfinterp_stats.diagnostics.heldout import draw_conditionally, predict_choices
from selfinterp_stats.errors import ArgumentError, check_range
from selfinterp_stats.seeding import check_draws, check_seed, make_generator
from selfinterp_stats.tables import Decisions, Scenarios

__all__ = ["ChoiceClassifier", "list_trials"]

Floats = NDArray[np.float64]


class ChoiceClassifier(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """Bayesian logit model of the choices in one scenario. ::

        logit P(y = classes_[1]) = intercept + X @ slopes

    with slopes ~ Normal(0, slope_sd) and intercept ~ Normal(0, intercept_sd): a scenario of the partially pooled model
    whose population is known. Probabilities are posterior predictive ones, means over the posterior, and so less extreme
    than those at any single value of the slopes.

    Parameters
    ----------
    slope_sd, intercept_sd : float
        Prior standard deviations, in log odds. With X scaled by the attributes' ranges, as ``list_trials`` gives it, the
        posterior means of ``tau`` and ``sigma_alpha`` of a fit belong here.
    draws : int
        Points of the posterior that predictions are averaged over.
    seed : int
        What makes them repeatable.
    labels : sequence of two, optional
        All labels that can occur, for folds that may lack one. By default those of y; where it holds a single one, that is
        the only one ever predicted.

    Attributes
    ----------
    classes_ : numpy.ndarray
        The labels, sorted.
    coef_ : numpy.ndarray
        Posterior means of the slopes, shape (1, features), log odds of ``classes_[1]``.
    intercept_ : numpy.ndarray
        Posterior mean of the intercept, shape (1,).
    coefficient_points_, weights_ : numpy.ndarray
        Points of the posterior, intercept and slopes, shape (draws, features + 1), and their weights, which sum to one.
    n_features_in_ : int
        Number of features.

    Examples
    --------
    >>> from sklearn.model_selection import cross_val_score
    >>> rng = np.random.default_rng(1)
    >>> X = rng.uniform(-1, 1, (80, 2))
    >>> y = rng.random(80) < 1 / (1 + np.exp(-X @ [6.0, -3.0]))
    >>> model = ChoiceClassifier().fit(X, y)
    >>> bool(model.coef_[0, 0] > 0 > model.coef_[0, 1])
    True
    >>> bool(cross_val_score(ChoiceClassifier(), X, y, scoring="neg_log_loss", cv=5).mean() > -np.log(2))
    True
    """

    def __init__(
        self,
        slope_sd: float = 3.0,
        intercept_sd: float = 0.5,
        draws: int = 1000,
        seed: int = 1,
        labels: Sequence[Any] | None = None,
    ) -> None:
        self.slope_sd = slope_sd
        self.intercept_sd = intercept_sd
        self.draws = draws
        self.seed = seed
        self.labels = labels

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_class = False
        return tags

    def fit(self, X: Any, y: Any) -> ChoiceClassifier:
        """Draw from the posterior.

        Parameters
        ----------
        X : array-like
            Attribute differences, shape (trials, attributes).
        y : array-like
            Choices, shape (trials,), of two labels.

        Returns
        -------
        ChoiceClassifier
            Itself.

        Raises
        ------
        ArgumentError
            If a parameter has no usable value, or y has other labels than two. X and y themselves are checked by
            scikit-learn, which raises ValueError.
        """
        X, y = validate_data(self, X, y, dtype=np.float64)
        check_classification_targets(y)
        for name in ("slope_sd", "intercept_sd"):
            check_range(name, getattr(self, name), low=1e-3, high=1e3)
        check_draws(self.draws)
        check_seed(self.seed)
        self.classes_ = self._find_labels(y)
        s = np.where(y == self.classes_[-1], 1.0, -1.0)
        rng = make_generator(self.seed, "classify")
        first = np.array([0, len(s)], dtype=np.int64)
        scales = np.log([self.intercept_sd, self.slope_sd])
        found = draw_conditionally(X, s, first, scales, self.draws, [rng])
        self.coefficient_points_, self.weights_ = found.points[0], found.weights[0]
        mean = self.weights_ @ self.coefficient_points_
        self.intercept_, self.coef_ = mean[:1], mean[None, 1:]
        return self

    def predict_proba(self, X: Any) -> Floats:
        """Posterior predictive probabilities of the labels, in the order of ``classes_``: (trials, labels)."""
        check_is_fitted(self)
        X = validate_data(self, X, dtype=np.float64, reset=False)
        if len(self.classes_) == 1:
            return np.ones((len(X), 1))
        chance = predict_choices(X, self.coefficient_points_, self.weights_)
        return np.stack([1.0 - chance, chance], axis=1)

    def predict(self, X: Any) -> NDArray[Any]:
        """The label that is the more probable, shape (trials,)."""
        probabilities = self.predict_proba(X)
        return np.asarray(self.classes_[np.argmax(probabilities, axis=1)])

    def _find_labels(self, y: NDArray[Any]) -> NDArray[Any]:
        found = np.unique(y)
        allowed = found if self.labels is None else np.unique(np.asarray(self.labels))
        if len(allowed) > 2 or (self.labels is not None and len(allowed) != 2) or not np.isin(found, allowed).all():
            raise ArgumentError(
                "y",
                expected="two labels. Only binary classification is supported"
                if self.labels is None
                else f"labels among {', '.join(map(repr, allowed.tolist()))}",
                got=f"{len(found)} labels; the type of the target is {type_of_target(y)}",
                remedy="keep the trials that name one of the two options",
            )
        return allowed


def list_trials(decisions: Decisions, scenarios: Scenarios, scenario: str) -> tuple[pd.DataFrame, pd.Series[bool]]:
    """Predictors and answers of one scenario, as scikit-learn takes them.

    Parameters
    ----------
    decisions : Decisions
        Trials of one model; choose among several with ``decisions.frame`` before.
    scenarios : Scenarios
    scenario : str
        Its name.

    Returns
    -------
    X : pandas.DataFrame
        (A - B) / (high - low) of each attribute, one row for each trial with a choice, columns named by attribute.
    y : pandas.Series of bool
        Whether A was chosen.

    Raises
    ------
    ArgumentError
        If there is no such scenario.

    Examples
    --------
    >>> from selfinterp_stats import load_scenarios, simulate_experiment
    >>> archive = simulate_experiment(load_scenarios(topics=["travel"]), n_trials=(30, 30)).archive
    >>> X, y = list_trials(archive.decisions, archive.scenarios, archive.scenarios.names[0])
    >>> len(X) == len(y)
    True
    """
    names = scenarios.names
    if scenario not in names:
        raise ArgumentError(
            "scenario",
            expected="the name of a scenario",
            got=repr(scenario),
            remedy=f"choose one of scenarios.names, such as {names[0]!r}" if names else "pass other scenarios",
        )
    frame = decisions.frame[(decisions.frame["scenario"] == scenario) & decisions.frame["chosen"].isin(["A", "B"])]
    rows = scenarios.frame[scenarios.frame["scenario"] == scenario].sort_values("slot")
    X = pd.DataFrame(index=frame.index)
    for slot, attribute, low, high in rows[["slot", "attribute", "low", "high"]].itertuples(index=False):
        X[attribute] = (frame[f"a_{slot}"] - frame[f"b_{slot}"]) / (high - low)
    return X, (frame["chosen"] == "A").rename("chose_a")
