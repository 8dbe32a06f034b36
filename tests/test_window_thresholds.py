"""Critical learning rates against the window, by plain loops of our own over scipy's log-factorials."""

import math

import numpy as np
import pytest
from gradgap.measurements.window_thresholds import Word
from gradgap.sweep.measurement import measure
from scipy.optimize import brentq
from scipy.special import gammaln

SETTINGS = {"iterations": 2000, "tolerance": 1e-4, "scan_per_decade": 32}
RULES = ("reinforce/seq-mean-token-sum", "grpo/seq-mean-token-sum")


class Bandit:
    """`counting` with N tokens and half-width B, and the expected update of a rule with token sums."""

    def __init__(self, n, width, rule):
        self.n, self.rule = n, rule
        self.counts = np.arange(n // 2 - width, n // 2 + width + 1)
        self.ways = gammaln(n + 1) - gammaln(self.counts + 1) - gammaln(n - self.counts + 1)

    def rates(self, theta):
        """J and J′, sums over the masses of the window."""
        p = 1 / (1 + math.exp(-theta))
        masses = np.exp(self.ways + self.counts * math.log(p) + (self.n - self.counts) * math.log1p(-p))
        return masses.sum(), (masses * (self.counts - self.n * p)).sum()

    def update(self, theta):
        """∇J, for GRPO over the standard deviation of a reward."""
        success, slope = self.rates(theta)
        return slope / math.sqrt(success * (1 - success)) if self.rule.startswith("grpo") else slope

    def start(self):
        """Where J = 0.2."""
        return brentq(lambda theta: self.rates(theta)[0] - 0.2, -10, 0, xtol=1e-14)

    def run(self, rate):
        """θ along a run, and whether it converged: the mean of J_max − J over the last tenth."""
        theta = [self.start()]
        for _ in range(SETTINGS["iterations"]):
            theta.append(theta[-1] + rate * self.update(theta[-1]))
        best, first = self.rates(0.0)[0], self.rates(theta[0])[0]
        late = np.mean([best - self.rates(x)[0] for x in theta[-SETTINGS["iterations"] // 10 :]])
        return theta, late <= SETTINGS["tolerance"] * (best - first)

    def closed_form(self):
        """Where the update of a small θ is twice as long as θ."""
        return 2e-4 / abs(self.update(1e-4))

    def safe(self):
        """min 2θ/|F(θ)| up to the start."""
        start = -self.start()
        return min(2 * x / abs(self.update(x)) for x in np.linspace(start / 4000, start, 4000))


def measured(length, *windows, success_rate="0.2"):
    """All variables, over windows and rules."""
    axes = {
        "length": (str(length),),
        "window": tuple(map(str, windows)),
        "rule": RULES,
        "success_rate": success_rate,
    }
    return {name: values[0] for name, values in measure("window_thresholds", axes, SETTINGS).items()}


@pytest.mark.parametrize("window", [0.5, 1.0, 1.4, 1.9, 2.8, 3.4, 4.3])
def test_measured_closed_form_and_safe_rate_are_those_of_a_plain_loop(window):
    found = measured(64, window)
    for k, rule in enumerate(RULES):
        bandit = Bandit(64, math.floor(window * 4 + 0.5), rule)
        assert found["reach_half_width"][0] == bandit.counts.size // 2
        rate, closed = (found[f"reach_{name}"][0, k] for name in ("critical_learning_rate", "closed_form"))
        if found["reach_word"][0, k] == Word["global"]:  # one edge
            assert all(bandit.run(rate * part)[1] for part in (0.998, 0.999, 0.9994))
            assert not any(bandit.run(rate * part)[1] for part in (1.0006, 1.001, 1.002))
        else:  # one edge of several, to the last bit of which runs are sensitive: both outcomes are near it
            near = [bandit.run(rate * part)[1] for part in np.linspace(0.999, 1.001, 21)]
            assert any(near)
            assert not all(near)
        assert closed == pytest.approx(bandit.closed_form(), rel=1e-6)
        assert found["reach_safe_learning_rate"][0, k] == pytest.approx(bandit.safe(), rel=1e-5)


@pytest.mark.parametrize("length", [16, 64, 256])
def test_measured_over_closed_form(length):
    """1 to 1e-3 where the window is narrow; below 1 in windows much wider; REINFORCE's word is the theorem's."""
    found = measured(length, *np.linspace(0.5, 3.2, 10).round(2))
    ratio = found["reach_critical_learning_rate"] / found["reach_closed_form"]
    narrow = (2 * found["reach_half_width"] + 1) ** 2 <= 3 * (length + 1)
    assert narrow.any()
    assert not narrow.all()
    assert ratio[narrow] == pytest.approx(1, abs=1e-3)
    assert list(found["reach_word"][:, 0] == Word["global"]) == list(narrow)
    assert (found["reach_word"][narrow, 1] == Word["global"]).all()
    wide = 2 * found["reach_half_width"] + 1 > 2.62 * math.sqrt(length + 1)
    assert wide.any()
    assert (ratio[wide, 0] < 0.9).all()
    # no run is lost below the safe rate
    assert (found["reach_critical_learning_rate"] > 0.999 * found["reach_safe_learning_rate"]).all()


def test_where_the_closed_form_is_local_there_is_more_than_one_edge():
    """REINFORCE in a wide window: some runs below the measured rate do not converge, and some above it do."""
    bandit, found = Bandit(64, 11, RULES[0]), measured(64, 2.8)
    rate, safe = (found[f"reach_{name}"][0, 0] for name in ("critical_learning_rate", "safe_learning_rate"))
    below = [bandit.run(rate * part)[1] for part in np.geomspace(safe / rate, 0.999, 30)]
    assert below[0]
    assert not all(below)
    assert any(bandit.run(rate * part)[1] for part in np.geomspace(1.001, 1.1, 30))


def test_a_cycle_that_the_tolerance_hides():
    """GRPO measured above a global closed form: the run ends on a cycle, which its rates do not show."""
    found = measured(256, 3.41)
    bandit = Bandit(256, math.floor(3.41 * 8 + 0.5), RULES[1])
    assert found["reach_word"][0, 1] == Word["global"]
    ratio = found["reach_critical_learning_rate"][0, 1] / bandit.closed_form()
    assert 1.02 < ratio < 1.05
    theta, converged = bandit.run(1.02 * bandit.closed_form())
    assert converged
    # from one side to the other, and no nearer after a thousand updates
    assert theta[-1] == pytest.approx(-theta[-2], rel=1e-6)
    assert theta[-1] == pytest.approx(theta[-1001], rel=1e-6)
    assert abs(theta[-1]) > 1e-3


def test_a_window_that_does_not_reach_the_start():
    """J at the best θ of a single count of 64 is 0.099; at B = 1 it is 0.29."""
    found = measured(64, 0.1, 0.3)
    assert list(found["reach_half_width"]) == [0, 1]
    assert np.isnan(found["reach_critical_learning_rate"][0]).all()
    assert (found["reach_word"][0] == Word["unknown"]).all()
    assert (found["reach_critical_learning_rate"][1] > 0).all()
