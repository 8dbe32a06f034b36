"""Importance ratios: the weights of tokens that were drawn at other parameters (docs/theory_optimizers.md, O10).

They matter if a batch is used for several steps, or if it is some iterations old. A ratio mixes the log-ratio of the
token alone with that of its whole response (see `bandits.surrogates`). The theory predicts its critical learning rate
and its clip range from the numbers of this mixture.
"""

import math
from dataclasses import dataclass

import numpy as np

from ..errors import ConfigError
from ..plugins import Registry


@dataclass(frozen=True)
class Ratio:
    """How the ratio ρ_t of a token is made: log ρ_t = token · λ_t + response · Σ λ / |o|^length_power.

    λ_t = log π_θ(o_t) − log π_old(o_t) is the log-ratio of token t alone, and the sum runs over its response. At the
    parameters that drew the batch every ratio is 1. The first step on a fresh batch is therefore the same for all
    kinds of ratios.

    Attributes
    ----------
    token : float
        Share of the log-ratio of the token alone, from 0 to 1.
    response : float
        Share of the summed log-ratio of its response, from 0 to 1.
    length_power : float
        The sum is divided by the response length |o| to this power, from 0 to 1.
    clip_scale : float
        Gives the largest clip range c that keeps half of what there is to lose: log(1 + c) = clip_scale ·
        T^`clip_power`. It holds for many steps on each batch, a window of one standard deviation and a start at
        success rate 0.2 (O10). nan if it is not known; infinite if no clip is needed.

    Examples
    --------
    Of a response of two tokens with λ = 0.2 and 0, the first has these log-ratios:

    >>> for name in ("token", "sequence", "gspo"):
    ...     ratio = RATIOS.find(name)
    ...     print(name, ratio.token * 0.2 + ratio.response * 0.2 / 2**ratio.length_power)
    token 0.2
    sequence 0.2
    gspo 0.1
    """

    token: float
    response: float
    length_power: float = 0.0
    clip_scale: float = math.nan

    @property
    def clip_power(self) -> float:
        """Power of the length T with which the spread of log ρ_t grows (O10).

        The spread is taken at a given displacement of θ, counted in standard deviations. The largest clip range that
        protects a run scales with the same power.

        Returns
        -------
        float
            nan if the ratio is always 1.

        Examples
        --------
        >>> {name: RATIOS.find(name).clip_power for name in ("token", "sequence", "gspo")}
        {'token': -0.5, 'sequence': -0.0, 'gspo': -1.0}
        """
        powers = [-0.5] * (self.token > 0) + [-self.length_power] * (self.response > 0)
        return max(powers, default=math.nan)

    def curvature(self, length: float) -> float:
        """Curvature of the surrogate of a batch, as a multiple of that of J, near the best θ (O10).

        Parameters
        ----------
        length : float
            Response length T in tokens.

        Returns
        -------
        float
            response / T^length_power.

        Examples
        --------
        >>> [RATIOS.find(name).curvature(64) for name in ("token", "sequence", "gspo")]
        [0.0, 1.0, 0.015625]
        """
        return self.response / length**self.length_power

    def surrogate(self, clip_range: float = math.inf, clip_range_high: float | None = None) -> np.ndarray:
        """The ratio together with a clip range, as the vector that compiled functions take (`bandits.surrogates`).

        Parameters
        ----------
        clip_range : float
            Ratios count down to 1 − clip_range. Above 0; infinite for no clip.
        clip_range_high : float, optional
            Ratios count up to 1 + clip_range_high. The default is `clip_range`.

        Returns
        -------
        ndarray, shape (5,)
            token, response, length_power, clip_range, clip_range_high.

        Raises
        ------
        ConfigError
            If a clip range is not above 0.

        Examples
        --------
        >>> RATIOS.find("gspo").surrogate(0.2).tolist()
        [0.0, 1.0, 1.0, 0.2, 0.2]
        """
        high = clip_range if clip_range_high is None else clip_range_high
        for name, value in (("clip_range", clip_range), ("clip_range_high", high)):
            if not value > 0:
                raise ConfigError(f"{name}: {value:g} is not allowed; it must be above 0")
        return np.array([self.token, self.response, self.length_power, clip_range, high], dtype=float)


def check_ratio(ratio: object) -> None:
    """Check that a ratio is what the engine relies on. The ratios of plugins are checked when they are loaded.

    Parameters
    ----------
    ratio : object

    Raises
    ------
    ConfigError
        If it is no `Ratio`, or one of its shares or powers is not from 0 to 1. The message is one sentence that says
        what to mend.

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
# with clipped tokens a batch acts as one step of sign descent, whose largest step is 2.82 standard deviations (O2)
RATIOS.add("token")(Ratio(token=1.0, response=0.0, clip_scale=2.82))
# the ratio of the whole response: in expectation, every step is then like one on a fresh batch
RATIOS.add("sequence")(Ratio(token=0.0, response=1.0, clip_scale=math.inf))
# the geometric mean of the token ratios of a response; its clip scale was measured, it is not derived
RATIOS.add("gspo")(Ratio(token=0.0, response=1.0, length_power=1.0, clip_scale=5.9))
