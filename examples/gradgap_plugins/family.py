"""A bandit family from outside: a few pairs of tokens matter, the rest is silence.

A response has T tokens. The first 2m are ones with probability p = σ(θ), in m pairs, and it is right when each
pair is a one and then a zero: J = (p(1−p))^m, best at p = ½. No other token has a parameter, so its threshold should
not depend on T. The number m of pairs is a setting of the family, and |J''| at the best θ is known in closed form.
"""

import math
from typing import ClassVar

import numpy as np
from gradgap.bandits import FAMILIES, Family, Instance, Kernels
from gradgap.errors import ConfigError
from gradgap.numerics.compiler import kernel
from gradgap.settings import Setting


@kernel
def evaluate(theta, constants, workspace, rates, gaps):
    pairs = constants[0]
    p = 1.0 / (1.0 + math.exp(-theta[0]))
    success = (p * (1.0 - p)) ** pairs
    failure = 1.0 - success  # never near 0: success is at most a quarter
    rates[0, 0], rates[1, 0] = success, failure
    for q in range(len(gaps)):  # none where sampled updates make them needless
        gaps[q, 0] = pairs * (1.0 - 2.0 * p) / failure  # g = J'/(J(1−J)), J' = m J(1−2p)


class Pair(Family):
    settings: ClassVar = {
        "pairs": Setting(
            description="Number m of pairs of tokens (pair).", kind="integer", minimum=1, maximum=8, default=1
        )
    }
    usual: ClassVar = {"success_rate": 0.01}
    even_and_unimodal: ClassVar = True

    def curvature(self, instance):
        pairs = instance.kernels.constants[0]
        return pairs * 0.25 ** (pairs - 1) / 8  # p(1−p) = ¼ − θ²/16 + …

    def instance(self, length, success_rate, failure_rate=None, *, pairs=1):
        if not 0 < success_rate < 0.25**pairs:
            raise ConfigError(
                f"success_rate: {success_rate:g} is out of reach for pair; allowed: below {0.25**pairs:g}"
            )
        p = (1 - math.sqrt(1 - 4 * success_rate ** (1 / pairs))) / 2
        return Instance(
            family="pair",
            kernels=Kernels(
                evaluate, outcomes=None, score=None, constants=np.array([pairs], float), workspace=0
            ),
            start=np.array([math.log(p / (1 - p))]),
            best=np.zeros(1),
            length=float(length),
            max_length=length,
            score_length=length,
            token_score_bound=1.0,
            token_hessian_bound=0.25,
            settings={"pairs": pairs},
        )


FAMILIES.add("pair")(Pair())
