"""Formulas: the columns they make, and what is said of those that cannot be used."""

import numpy as np
import pandas as pd
import pytest

from selfinterp_stats import ArgumentError, Gamma, Normal, StudentT, fit_regression
from selfinterp_stats.regression.formula import make_design


@pytest.fixture
def table():
    rng = np.random.default_rng(1)
    return pd.DataFrame(
        {
            "y": rng.standard_normal(60),
            "x": rng.standard_normal(60),
            "trained": np.arange(60) % 2 == 0,
            "model": np.array(["b", "a", "c"] * 20, dtype=object),
            "scenario": np.repeat(np.arange(12), 5),
        }
    )


def test_factors_have_treatment_contrasts(table):
    design = make_design("y ~ x * trained + model", table)
    assert set(design.names) == {"Intercept", "x", "trained[True]", "x:trained[True]", "model[b]", "model[c]"}
    place = design.names.index("x:trained[True]")
    assert np.array_equal(design.X[:, place], table["x"] * table["trained"])
    assert design.variables == ("x", "trained", "model")


def test_other_columns_may_be_incomplete(table):
    table["unused"] = np.nan
    assert len(make_design("y ~ x", table).y) == 60


def test_transformations_are_kept_for_other_data(table):
    design = make_design("y ~ scale(x)", table)
    again = design.evaluate(pd.DataFrame({"y": [0.0], "x": [table["x"].mean()]}))
    assert again[0, 1] == pytest.approx(0.0, abs=1e-12)


def test_numbers_in_calls_are_no_columns(table):
    assert "poly(x, 2)[1]" in make_design("y ~ poly(x, 2)", table).names


@pytest.mark.parametrize(
    ("formula", "changes", "text"),
    [
        ("y ~ x + z", {}, r"formula: expected columns of the data \(.*\), got z; correct the formula or add the columns"),
        ("y ~ x +", {}, "formula: expected a formula such as 'used_z ~ reported_z .*, got 'y ~ x .*; see the language"),
        ("x", {}, "formula: expected a response on the left of ~, got 'x'; write"),
        ("y ~ x + c", {"c": 1.0}, "formula: expected terms that vary, got c, the same in every row; take the term out"),
        ("y ~ x + f", {"f": "only"}, "expected terms that vary, got f, the same in every row; take the term out"),
        ("y ~ x + d", {"d": lambda t: 2 * t["x"]}, "expected columns none of which follows .*, got collinear x, d"),
        ("y ~ x + d", {"d": lambda t: 1 - t["x"]}, "got collinear Intercept, x, d; take one of them out"),
        ("y ~ x", {"x": np.nan}, r"data: expected neither missing nor infinite .*, got 60 in x \(rows 0, 1, .*\); drop"),
        ("y ~ x", {"y": np.inf}, "data: expected neither missing nor infinite values, got 60 in y"),
        ("model ~ x", {}, "formula: expected a response of one column, got model with 3 categories; put a numeric"),
        ("y ~ x", {"y": 2.0}, "formula: expected a response that varies, got y with 2 in every row"),
        ("y ~ x + (1 | one)", {"one": [0] + [1, 2] * 29 + [1]}, "at least two rows of every one, got one row of 0"),
        ("y ~ x + offset(trained)", {"trained": 1.5}, r"expected terms with coefficients, got offset\(trained\); "),
        ("y ~ x + sigma", {"sigma": 1.0}, "expected names other than Intercept, b, .*, got sigma; rename the column"),
        ("y ~ x + draw", {"draw": 1.0}, "got draw; rename the column"),
        ("y ~ np.log(x)", {}, r"expected finite values of the terms in every row, got others in np.log\(x\)"),
        ("np.log(y) ~ x", {}, r"expected finite values of np.log\(y\) in every row"),
        ("y ~ log(x)", {}, "check the functions \\(np.log, not log\\) and the types"),
        ("y ~ x + (1 | one)", {"one": "same"}, "expected at least two groups of one, got 'same' alone; take"),
        ("y ~ x + (1 | model:scenario)", {}, "expected at least two rows of every model:scenario, got one row of "),
    ],
)  # fmt: skip
def test_what_cannot_be_used(table, formula, changes, text):
    changed = table.assign(**changes)
    with pytest.raises(ArgumentError, match=text):
        fit_regression(formula, changed)


def test_more_columns_than_rows(table):
    with pytest.raises(ArgumentError, match="got 6 columns, 4 rows; take one of them out"):
        make_design("y ~ poly(x, 4) + trained", table.head(4).assign(x=[1.0, 2.0, 3.0, 5.0]))


def test_no_rows_and_no_table(table):
    with pytest.raises(ArgumentError, match="data: expected rows, got none"):
        fit_regression("y ~ x", table.head(0))
    with pytest.raises(ArgumentError, match="data: expected a pandas DataFrame, got list"):
        fit_regression("y ~ x", [1, 2])


@pytest.mark.parametrize(
    ("family", "priors", "text"),
    [
        ("gaussian", "flat", "priors: expected 'brms' or a mapping of parameters to priors, got 'flat'"),
        ("gaussian", {"z": Normal()}, r"expected parameters of this gaussian model \(b, x, Intercept, sigma\), got z"),
        ("bernoulli", {"sigma": StudentT()}, r"parameters of this bernoulli model \(b, x, Intercept\), got sigma"),
        ("gaussian", {"sigma": Normal()}, r"priors\['sigma'\]: expected StudentT, got normal\(0, 1\); pass StudentT"),
        ("gaussian", {"sigma": StudentT(3, 1, 2)}, "a Student-t around zero, of which .*, got .*; pass StudentT"),
        ("gaussian", {"b": Gamma(2, 1)}, r"priors\['x'\]: expected Flat or Normal or StudentT, got gamma\(2, 1\)"),
        ("gaussian", {"Intercept": None}, r"priors\['Intercept'\]: expected a prior, got None; leave it out"),
        ("student", {"nu": Normal()}, r"priors\['nu'\]: expected Gamma"),
    ],
)  # fmt: skip
def test_priors_that_do_not_fit(table, family, priors, text):
    table = table.assign(y=table["trained"]) if family == "bernoulli" else table
    with pytest.raises(ArgumentError, match=text):
        fit_regression("y ~ x", table, family=family, priors=priors)


def test_a_binary_response_is_binary(table):
    with pytest.raises(ArgumentError, match="expected y of 0 and 1, or False and True, for family='bernoulli'"):
        fit_regression("y ~ x", table, family="bernoulli")


@pytest.mark.parametrize(
    ("formula", "settings", "got"),
    [
        ("y ~ x + (1 | scenario)", {}, r"got group-specific terms \(1\|scenario\); pass inference='nuts'"),
        ("y ~ x", {"family": "student"}, "got family='student'"),
        ("y ~ x", {"priors": {"b": StudentT()}}, r"got student_t\(3, 0, 2.5\) on x"),
    ],
)
def test_no_closed_form(table, formula, settings, got):
    with pytest.raises(ArgumentError, match=got):
        fit_regression(formula, table, inference="exact", **settings)


def test_a_column_that_is_there_twice(table):
    doubled = pd.concat([table, table[["x"]]], axis=1)
    with pytest.raises(ArgumentError, match="data: expected each column once, got x twice or more"):
        fit_regression("y ~ x", doubled)
    assert fit_regression("y ~ trained", doubled).names == ("Intercept", "trained[True]", "sigma")


def test_exact_fit(table):
    with pytest.raises(ArgumentError, match="a response that they do not give exactly"):
        fit_regression("y ~ x", table.assign(y=1.0 + 2.0 * table["x"]))
