"""The choice model as a scikit-learn estimator."""

import warnings

import numpy as np
import pytest
from helpers.choices import by_decider, make_trials
from scipy.special import expit
from sklearn.model_selection import KFold, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import check_estimator

from selfinterp_stats import ArgumentError, ChoiceClassifier, check_decisions, fit_choices, list_trials
from selfinterp_stats.agents import LogitDecider
from selfinterp_stats.seeding import make_generator


def make_data(seed=1, trials=60):
    rng = np.random.default_rng(seed)
    X = rng.uniform(-1, 1, (trials, 2))
    return X, rng.random(trials) < expit(0.4 + X @ [5.0, -2.0])


@pytest.mark.thorough
def test_scikit_learn_accepts_it():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # scikit-learn's own checks warn of what they provoke
        results = check_estimator(ChoiceClassifier(draws=200), on_fail=None)
    failed = [f"{result['check_name']}: {result['exception']!r}" for result in results if result["status"] == "failed"]
    assert not failed
    assert sum(result["status"] == "passed" for result in results) > 40


def test_probabilities_are_those_of_the_posterior():
    """Against a grid over intercept and both slopes."""
    X, y = make_data(trials=25)
    model = ChoiceClassifier(slope_sd=2.0, intercept_sd=1.0, draws=20_000).fit(X, y)
    intercept, first, second = np.meshgrid(
        np.linspace(-4, 4, 61), np.linspace(-8, 10, 81), np.linspace(-9, 8, 81), indexing="ij"
    )
    eta = intercept[..., None] + first[..., None] * X[:, 0] + second[..., None] * X[:, 1]
    log_posterior = -np.logaddexp(0.0, np.where(y, -eta, eta)).sum(axis=-1)
    log_posterior -= 0.5 * intercept**2 + (first**2 + second**2) / 8.0
    weights = np.exp(log_posterior - log_posterior.max())
    weights /= weights.sum()
    places = np.array([[0.0, 0.0], [0.5, 0.5], [-1.0, 0.2]])
    expected = [np.sum(weights * expit(intercept + first * u + second * v)) for u, v in places]
    assert model.predict_proba(places)[:, 1] == pytest.approx(expected, abs=0.005)
    assert model.coef_[0] == pytest.approx([np.sum(weights * first), np.sum(weights * second)], abs=0.05)
    assert model.predict_proba(places).sum(axis=1) == pytest.approx(np.ones(3))


def test_labels_and_folds_without_one():
    X, y = make_data()
    words = np.where(y, "B", "A")
    model = ChoiceClassifier().fit(X, words)
    assert model.classes_.tolist() == ["A", "B"]
    assert np.array_equal(model.predict_proba(X)[:, 1], ChoiceClassifier().fit(X, y).predict_proba(X)[:, 1])
    only = ChoiceClassifier(labels=("A", "B")).fit(X[:10], np.full(10, "A"))
    assert only.predict_proba(X).shape == (60, 2)
    assert (only.predict_proba(X[:10])[:, 0] > 0.5).all()
    alone = ChoiceClassifier().fit(X[:10], np.full(10, "A"))
    assert alone.predict_proba(X).shape == (60, 1)


def test_in_a_pipeline():
    X, y = make_data()
    found = cross_val_predict(make_pipeline(StandardScaler(), ChoiceClassifier()), X, y, cv=5, method="predict_proba")
    assert (found[:, 1] > 0.5).mean() == pytest.approx(y.mean(), abs=0.2)


def test_the_checks_of_a_fit_predict_as_it_does():
    decisions, scenarios = make_trials([by_decider(LogitDecider(5.0))] * 6, 40, 3, seed=2, low=-3.0, high=9.0)
    fit = fit_choices(decisions, scenarios, draws=1000)
    splitter = KFold(4, shuffle=False)
    checks = check_decisions(fit, cv=splitter, replications=0)
    scales = dict(zip(fit.population["parameter"], np.log(fit.population_draws).mean(axis=1), strict=True))
    X, y = list_trials(decisions, scenarios, "s002")
    # the checks number trials by what was chosen and shown, and shuffle them
    order = np.lexsort([np.where(y, 1.0, -1.0), *X.to_numpy().T[::-1]])
    order = order[make_generator(fit.spec.seed, "folds", context=2).permutation(len(order))]
    model = ChoiceClassifier(np.exp(scales["tau"]), np.exp(scales["sigma_alpha"]), draws=4000)
    found = cross_val_predict(model, X.to_numpy()[order], y.to_numpy()[order], cv=splitter, method="predict_proba")[:, 1]
    expected = -np.log(np.where(y.to_numpy()[order], found, 1.0 - found)).mean()
    assert checks.contexts.set_index("scenario").loc["s002", "log_loss_out"] == pytest.approx(expected, abs=0.02)


def test_trials_of_a_scenario():
    decisions, scenarios = make_trials([by_decider(LogitDecider(5.0))] * 2, 12, 3, seed=2, low=-3.0, high=9.0)
    X, y = list_trials(decisions, scenarios, "s001")
    frame = decisions.frame[decisions.frame["scenario"] == "s001"]
    assert X["a1"].tolist() == pytest.approx(((frame["a_2"] - frame["b_2"]) / 12.0).tolist())
    assert y.tolist() == (frame["chosen"] == "A").tolist()
    with pytest.raises(ArgumentError, match=r"scenario: expected the name of a scenario, got 'zoo'; choose one of"):
        list_trials(decisions, scenarios, "zoo")


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"slope_sd": 0.0}, r"slope_sd: expected a number from 0.001 to 1000, got 0.0"),
        ({"draws": 3}, r"draws: expected a whole number from 100 to 1e\+06, got 3"),
        ({"labels": (True,)}, r"y: expected labels among True, got 2 labels"),
    ],
)
def test_errors(options, text):
    X, y = make_data()
    with pytest.raises(ArgumentError, match=text):
        ChoiceClassifier(**options).fit(X, y)


def test_three_labels():
    X, _ = make_data(trials=9)
    with pytest.raises(ValueError, match="Only binary classification is supported"):
        ChoiceClassifier().fit(X, np.repeat([0, 1, 2], 3))
