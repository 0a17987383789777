"""Writes mixedModel.json: random data and what statsmodels' MixedLM says of them. Usage: python mixedModel.py > mixedModel.json"""
import json
import warnings

import numpy as np
import statsmodels
from statsmodels.regression.mixed_linear_model import MixedLM

warnings.simplefilter("ignore")
random = np.random.default_rng(24)


def fit(y, x, groups):
    design = np.column_stack([np.ones_like(x), x])
    fits = []
    for method in ["lbfgs", "bfgs", "powell", "cg"]:
        found = MixedLM(y, design, groups=groups, exog_re=design).fit(reml=True, method=[method], maxiter=2000, gtol=1e-9)
        if np.isfinite(found.llf):
            fits.append(found)
    return max(fits, key=lambda found: found.llf)


cases = []
for families, most, noise, intercepts, slopes, correlation in [
    (6, 8, 0.03, 0.05, 0.3, 0.3),
    (12, 12, 0.02, 0.03, 0.2, -0.5),
    (16, 6, 0.05, 0.1, 0.5, 0.0),
    (5, 20, 0.02, 0.04, 0.3, 0.6),
    (30, 5, 0.01, 0.02, 0.2, 0.2),
    (10, 10, 0.1, 0.2, 1.0, -0.3),
]:
    sizes = random.integers(2, most + 1, size=families)
    groups = np.repeat(np.arange(families), sizes)
    x = 0.7 + 0.15 * random.standard_normal(families)[groups] + 0.1 * random.standard_normal(len(groups))
    covariance = [
        [intercepts**2, correlation * intercepts * slopes],
        [correlation * intercepts * slopes, slopes**2],
    ]
    own = random.multivariate_normal([0.2, 0.6], covariance, size=families)[groups]
    y = own[:, 0] + own[:, 1] * x + noise * random.standard_normal(len(groups))
    x, y = x.round(4), y.round(4)
    found = fit(y, x, groups)
    # bse_fe comes from the joint Hessian of effects and variances; lme4 and this library give that of the effects at these variances.
    design = np.column_stack([np.ones_like(x), x])
    information = np.zeros((2, 2))
    for group in range(families):
        own = design[groups == group]
        information += own.T @ np.linalg.solve(own @ found.cov_re @ own.T + found.scale * np.eye(len(own)), own)
    cases.append(
        {
            "families": [f"f{group}" for group in groups],
            "x": x.tolist(),
            "y": y.tolist(),
            "slope": found.fe_params[1],
            "intercept": found.fe_params[0],
            "standardError": np.linalg.inv(information)[1, 1] ** 0.5,
            "jointStandardError": found.bse_fe[1],
            "within": found.scale,
            "between": {
                "intercept": found.cov_re[0, 0],
                "slope": found.cov_re[1, 1],
                "covariance": found.cov_re[0, 1],
            },
        }
    )

print(json.dumps({"statsmodels": statsmodels.__version__, "seed": 24, "cases": cases}))
