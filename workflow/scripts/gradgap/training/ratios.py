"""Importance ratios: how tokens of a batch drawn at other parameters are weighed (docs/theory_optimizers.md, O10).

They matter where a batch is used for several steps, or is some iterations old. A ratio is made of a token's own
log-ratio and that of its response; what theory predicts of it follows from these numbers (see `bandits.surrogates`).
"""

import math
from dataclasses import dataclass

import numpy as np

from ..errors import ConfigError
from ..plugins import Registry


@dataclass(frozen=True)
class Ratio:
    """log ρ_t = token · λ_t + response · Σ λ / |o|^length_power, λ_t the log-ratio of token t.

    On the batch's own parameters every ratio is 1, so that the first step on a fresh batch is the same for all.

    Attributes
    ----------
    token : float
        Share of the token's own log-ratio.
    response : float
        Share of the summed log-ratio of its response.
    length_power : float
        Power of the response length |o| that the sum is divided by.
    clip_scale : float
        log(1 + c) over T^`clip_power` at the largest clip range c that keeps half, for many steps a batch, a window
        of one standard deviation and a start at success rate 0.2 (O10). nan where it is not known, infinite where
        no clip is needed.
    """

    token: float
    response: float
    length_power: float = 0.0
    clip_scale: float = math.nan

    @property
    def clip_power(self) -> float:
        """a where the spread of log ρ_t at a given displacement in standard deviations is ∝ T^a.

        The largest clip range that protects scales in the same way; nan where the ratio is always 1.

        Examples
        --------
        >>> {name: RATIOS.find(name).clip_power for name in ("token", "sequence", "gspo")}
        {'token': -0.5, 'sequence': -0.0, 'gspo': -1.0}
        """
        powers = [-0.5] * (self.token > 0) + [-self.length_power] * (self.response > 0)
        return max(powers, default=math.nan)

    def curvature(self, length: float) -> float:
        """Curvature of the surrogate of a batch over that of J, near the best θ: response / T^length_power.

        Examples
        --------
        >>> [RATIOS.find(name).curvature(64) for name in ("token", "sequence", "gspo")]
        [0.0, 1.0, 0.015625]
        """
        return self.response / length**self.length_power

    def surrogate(self, clip_range: float = math.inf, clip_range_high: float | None = None) -> np.ndarray:
        """The numbers of `bandits.surrogates`, clipped to [1 − clip_range, 1 + clip_range_high].

        Parameters
        ----------
        clip_range : float
            Above 0; infinite for no clip.
        clip_range_high : float, optional
            By default the same.

        Raises
        ------
        ConfigError
            If a clip range is not above 0.
        """
        high = clip_range if clip_range_high is None else clip_range_high
        for name, value in (("clip_range", clip_range), ("clip_range_high", high)):
            if not value > 0:
                raise ConfigError(f"{name}: {value:g} is not allowed; it must be above 0")
        return np.array([self.token, self.response, self.length_power, clip_range, high], dtype=float)


def check_ratio(ratio: object) -> None:
    """Hold a ratio to what the engine relies on; run on the ratios of plugins when they are loaded.

    Raises
    ------
    ConfigError
        In one sentence that says what to mend.

    Examples
    --------
    >>> check_ratio(RATIOS.find("gspo"))
    """
    if not isinstance(ratio, Ratio):
        raise ConfigError(f"register a Ratio(...); found {type(ratio).__name__}")
    for name in ("token", "response", "length_power"):
        value = getattr(ratio, name)
        if not isinstance(value, int | float) or not 0.0 <= value <= 1.0:
            raise ConfigError(f"{name} must be a number from 0 to 1; found {value!r}")


RATIOS: Registry[Ratio] = Registry("ratio", check=check_ratio)
# with clipped tokens a batch is a step of sign descent, 2.82 standard deviations at the most (O2)
RATIOS.add("token")(Ratio(token=1.0, response=0.0, clip_scale=2.82))
# the whole response: every step is then an on-policy one, in expectation
RATIOS.add("sequence")(Ratio(token=0.0, response=1.0, clip_scale=math.inf))
# the geometric mean of the token ratios of a response; its number is seen, not derived
RATIOS.add("gspo")(Ratio(token=0.0, response=1.0, length_power=1.0, clip_scale=5.9))
