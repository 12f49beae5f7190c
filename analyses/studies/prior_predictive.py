"""Claim: the priors of the hierarchical choice model allow for every plausible decider and favour none.

    python analyses/studies/prior_predictive.py

Populations are drawn from the default priors, scenarios with five attributes and fifty trials from them; for each scenario
the share of As and the share of choices that agree with its own weights. Quantiles go to results/prior-predictive.json.
"""

import json
import platform
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from selfinterp_stats import PooledPriors

RESULTS = Path(__file__).parent / "results" / "prior-predictive.json"
N_POPULATIONS, N_SCENARIOS, N_TRIALS, N_ATTRIBUTES = 2000, 20, 50, 5
LEVELS = (0.025, 0.25, 0.5, 0.75, 0.975)


def main():
    """Draw, count and write."""
    priors, rng = PooledPriors(), np.random.default_rng(1)
    share, agreement = [], []
    for _ in range(N_POPULATIONS):
        tau = priors.tau.median * np.exp(priors.tau.sd * rng.standard_normal())
        sigma = priors.sigma_alpha.median * np.exp(priors.sigma_alpha.sd * rng.standard_normal())
        slopes = tau * rng.standard_normal((N_SCENARIOS, N_ATTRIBUTES))
        x = rng.random((2, N_SCENARIOS, N_TRIALS, N_ATTRIBUTES))
        utility = np.einsum("stk,sk->st", x[0] - x[1], slopes)
        logits = utility + sigma * rng.standard_normal((N_SCENARIOS, 1))
        chose_a = rng.random(logits.shape) < 1.0 / (1.0 + np.exp(-logits))
        share.append(chose_a.mean(axis=1))
        agreement.append((chose_a == (utility > 0)).mean(axis=1))
    found = {
        "command": "python analyses/studies/prior_predictive.py",
        "date": datetime.now(UTC).date().isoformat(),
        "machine": f"{platform.machine()}, Python {platform.python_version()}",
        "priors": str(priors),
        "levels": LEVELS,
        "share_of_a": np.quantile(np.concatenate(share), LEVELS).round(3).tolist(),
        "agreement_with_own_weights": np.quantile(np.concatenate(agreement), LEVELS).round(3).tolist(),
    }
    RESULTS.write_text(json.dumps(found, indent=1) + "\n")
    print(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
