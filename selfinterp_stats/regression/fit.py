"""The result of a regression."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from selfinterp_stats.choice import Normal, StudentT
from selfinterp_stats.errors import ArgumentError
from selfinterp_stats.regression.formula import Design
from selfinterp_stats.regression.priors import Flat, RegressionPriors
from selfinterp_stats.summaries import summarise_rows

if TYPE_CHECKING:
    import xarray as xr

__all__ = ["RegressionFit"]

Floats = NDArray[np.float64]

_SLASH = "\N{DIVISION SLASH}"
_LINKS = {"gaussian": "mu = identity; sigma = identity", "student": "mu = identity; sigma, nu = identity"}


@dataclass(frozen=True)
class RegressionFit:
    """Posterior of a regression.

    Attributes
    ----------
    formula, family : str
    priors : RegressionPriors
        Those in force.
    inference : {"exact", "nuts"}
        Independent draws of a closed form, or chains of Bambi's model sampled by nutpie.
    design : Design
        The rows and columns of the fixed terms.
    names : tuple of str
        Parameters: the coefficients as in ``design.names`` and then the others.
    values : numpy.ndarray
        Draws, shape (parameters, chains, draws); the intercept is that of predictors at zero.
    offsets : numpy.ndarray
        What group-specific terms add to each row, shape (N, chains * draws); of length 0 without such terms.
    prob : float
        Probability of the intervals.
    diagnostics : pandas.DataFrame
        ``r_hat, ess_bulk, ess_tail`` of each parameter.
    divergences : int
        Transitions that diverged.
    """

    formula: str
    family: str
    priors: RegressionPriors
    inference: str
    design: Design
    names: tuple[str, ...]
    values: Floats
    offsets: Floats
    prob: float
    diagnostics: pd.DataFrame
    divergences: int

    @property
    def coefficient_draws(self) -> Floats:
        """Draws of the fixed terms' coefficients, (P, chains * draws)."""
        return self.values[: len(self.design.names)].reshape(len(self.design.names), -1)

    @property
    def default_rope(self) -> tuple[float, float]:
        """Region of practical equivalence to zero of a coefficient, as bayestestR sets it."""
        half = 0.1 * float(self.design.y.std(ddof=1)) if self.family != "bernoulli" else 0.18
        return -half, half

    @property
    def draws(self) -> xr.DataArray:
        """Draws with labels: dimensions chain, draw and parameter."""
        import xarray as xr

        return xr.DataArray(
            np.moveaxis(self.values, 0, -1),
            dims=("chain", "draw", "parameter"),
            coords={
                "chain": np.arange(self.values.shape[1]),
                "draw": np.arange(self.values.shape[2]),
                "parameter": np.array(self.names, dtype=object),
            },
            name="regression",
        )

    def take(self, parameter: str) -> Floats:
        """Draws of one parameter, (chains * draws,).

        Raises
        ------
        ArgumentError
            If there is none of that name.
        """
        if parameter not in self.names:
            raise ArgumentError(
                "parameter",
                expected=f"one of {', '.join(self.names)}",
                got=repr(parameter),
                remedy="see .names",
            )
        return np.asarray(self.values[self.names.index(parameter)].ravel())

    def summary(self) -> pd.DataFrame:
        """One row for each parameter: ``parameter, mean, sd, median, hdi_low, hdi_high, r_hat, ess_bulk, ess_tail``."""
        found = summarise_rows(self.values.reshape(len(self.names), -1), self.prob)
        table = pd.DataFrame({"parameter": self.names, **found})
        table = pd.concat([table, self.diagnostics.reset_index(drop=True)], axis=1)
        table.attrs["prob"] = self.prob
        return table

    def predict_mean(self) -> Floats:
        """Draws of each row's linear predictor, group-specific terms included, (N, chains * draws)."""
        predictor = self.design.X @ self.coefficient_draws
        return np.asarray(predictor + self.offsets if len(self.offsets) else predictor)

    def log_likelihood(self) -> Floats:
        """Pointwise log-likelihood of the draws, (N, chains * draws)."""
        from scipy import stats

        predictor, y = self.predict_mean(), self.design.y[:, None]
        if self.family == "bernoulli":
            return np.asarray(-np.logaddexp(0.0, np.where(y == 1, -predictor, predictor)))
        if self.family == "student":
            return np.asarray(stats.t.logpdf(y, self.take("nu"), predictor, self.take("sigma")))
        return np.asarray(stats.norm.logpdf(y, predictor, self.take("sigma")))

    def predict(self, seed: int = 1) -> Floats:
        """Draws of replicated responses, (N, chains * draws)."""
        from selfinterp_stats.seeding import make_generator

        rng = make_generator(seed, "predict", formula=self.formula)
        predictor = self.predict_mean()
        if self.family == "bernoulli":
            return (rng.random(predictor.shape) < 1.0 / (1.0 + np.exp(-predictor))).astype(np.float64)
        sigma = self.take("sigma")
        if self.family == "student":
            return np.asarray(predictor + sigma * rng.standard_t(np.broadcast_to(self.take("nu"), predictor.shape)))
        return np.asarray(predictor + sigma * rng.standard_normal(predictor.shape))

    def to_inference_data(self) -> Any:
        """ArviZ InferenceData with posterior, log prior, pointwise log-likelihood and response."""
        from selfinterp_stats.containers import make_inference_data

        return make_inference_data(self.groups())

    def groups(self) -> dict[str, xr.Dataset]:
        """What ArviZ's functions take: posterior, log prior, pointwise log-likelihood and response.

        A slash in a name is a division slash there, since it would make a group.
        """
        import xarray as xr

        shape, response = (len(self.design.y), *self.values.shape[1:]), self.design.response.replace("/", _SLASH)
        coords = {"chain": np.arange(shape[1]), "draw": np.arange(shape[2])}
        likelihood = xr.DataArray(
            np.moveaxis(self.log_likelihood().reshape(shape), 0, -1), dims=("chain", "draw", "row"), coords=coords
        )
        # a slash in a name, as in a model's, would be a path there
        names = [name.replace("/", _SLASH) for name in self.names]
        posterior = {name: (("chain", "draw"), values) for name, values in zip(names, self.values, strict=True)}
        return {
            "posterior": xr.Dataset(posterior, coords=coords),
            "log_prior": xr.Dataset(self._log_priors(), coords=coords),
            "log_likelihood": xr.Dataset({response: likelihood}),
            "observed_data": xr.Dataset({response: ("row", self.design.y)}),
        }

    def _log_priors(self) -> dict[str, tuple[tuple[str, str], Floats]]:
        """Log density of each proper prior of a named parameter, at the draws."""
        found = {}
        for name, prior in self.priors.coefficients.items():
            if not isinstance(prior, Flat):
                found[name] = prior.log_density(self.take(name))
        if isinstance(self.priors.intercept, (Normal, StudentT)):
            centred = self.design.X.mean(axis=0) @ self.coefficient_draws
            found["Intercept"] = self.priors.intercept.log_density(centred)
        if self.priors.sigma is not None:
            found["sigma"] = self.priors.sigma.log_density(self.take("sigma"))
        if self.priors.nu is not None:
            nu = self.take("nu")
            found["nu"] = (self.priors.nu.shape - 1.0) * np.log(nu) - self.priors.nu.rate * nu
        shape = self.values.shape[1:]
        return {name.replace("/", _SLASH): (("chain", "draw"), values.reshape(shape)) for name, values in found.items()}

    def __str__(self) -> str:
        how = {
            "exact": f"{self.values[0].size:,} independent draws of the closed form",
            "nuts": f"{self.values.shape[1]} chains, {self.values.shape[2]:,} draws each (nutpie)",
        }
        title = f"{self.prob:.0%} HDI"
        table = self.summary().rename(
            columns={
                "mean": "Estimate",
                "sd": "Est.Error",
                "hdi_low": f"l-{title}",
                "hdi_high": f"u-{title}",
                "r_hat": "Rhat",
                "ess_bulk": "Bulk_ESS",
                "ess_tail": "Tail_ESS",
            }
        )
        table = table.drop(columns="median").set_index("parameter")
        table.index.name = None
        for name in ("Bulk_ESS", "Tail_ESS"):
            table[name] = table[name].round().astype("int64")
        fixed = [name for name in self.names if name in self.design.names]
        parts = [
            f" Family: {self.family}",
            f"  Links: {_LINKS.get(self.family, 'mu = logit')}",
            f"Formula: {self.formula}",
            f"   Data: {len(self.design.y):,} rows",
            f"  Draws: {how[self.inference]}",
            f" Priors: {self.priors}",
        ]
        if self.divergences:
            parts.append(f"Warning: {self.divergences} transitions diverged; the posterior is not to be relied on")
        groups = [name for name in self.names if name.endswith("_sigma")]
        others = [name for name in self.names if name not in fixed and name not in groups]
        for label, rows in (
            ("Group-specific terms (standard deviations)", groups),
            ("Regression coefficients", fixed),
            ("Further parameters", others),
        ):
            if rows:
                parts += ["", f"{label}:", _format(table.loc[rows])]
        return "\n".join(parts)

    __repr__ = __str__


def _format(table: pd.DataFrame) -> str:
    return table.to_string(float_format="{:.2f}".format)
