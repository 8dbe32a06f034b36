"""A bandit family from outside: two tokens that matter, the rest is silence.

A response has T tokens. The first two are ones with probability p = σ(θ), and it is right when they are a one and a
zero: J = p(1−p), best at p = ½. No other token has a parameter, so its threshold should not depend on T.
"""

import math

import numpy as np
from gradgap.bandits import FAMILIES, Family, Instance, Kernels
from gradgap.errors import ConfigError
from gradgap.numerics.compiler import kernel


@kernel
def evaluate(theta, constants, workspace, rates, gaps):
    p = 1.0 / (1.0 + math.exp(-theta[0]))
    success = p * (1.0 - p)
    failure = 1.0 - success  # never near 0: success is at most a quarter
    rates[0, 0], rates[1, 0] = success, failure
    for q in range(len(gaps)):  # none where sampled updates make them needless
        gaps[q, 0] = (1.0 - 2.0 * p) / failure  # g = J'/(J(1−J)), J' = J(1−2p)


class Pair(Family):
    def instance(self, length, success_rate, failure_rate=None):
        if not 0 < success_rate < 0.25:
            raise ConfigError(f"success_rate: {success_rate:g} is out of reach for pair; allowed: below 0.25")
        p = (1 - math.sqrt(1 - 4 * success_rate)) / 2
        return Instance(
            family="pair",
            kernels=Kernels(evaluate, outcomes=None, score=None, constants=np.empty(0), workspace=0),
            start=np.array([math.log(p / (1 - p))]),
            best=np.zeros(1),
            length=float(length),
            max_length=length,
            score_length=length,
            token_score_bound=1.0,
            token_hessian_bound=0.25,
        )


FAMILIES.add("pair")(Pair())
