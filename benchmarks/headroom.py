"""Calibration of the probe on bandits whose headroom is known exactly.

python benchmarks/headroom.py [replicates]

Prints, for `counting` and `gated`, sizes of the batch and effective shares: 10, 50 and 90 % of estimate over truth
for the probe, for weights normalised within the outcomes (ℓ(t) − ℓ(0) = K₁ − K₀ taken literally) and for the
parabola in J; coverage of the 90 % interval; what `beyond reach` says against the truth; and `climb` on ten
instances. docs/probe.md shows the table.
"""

import math
import sys
import time

import numpy as np
from gradgap.numerics.binomial import window
from gradgap.probe import Status, climb, probe
from gradgap.probe.weights import crossing, log_mean_exp

STEPS = np.array([0.0, 0.5, 1.0, 2.0, 4.0, 8.0])


class Line:
    """A bandit that starts some standard deviations of the count from the middle, and a step of known headroom."""

    def __init__(self, length, spreads, share, headroom):
        self.length, self.share, self.headroom = length, share, headroom
        self.half_width = round(math.sqrt(length) / 2)
        self.theta = -2 * spreads / math.sqrt(length)
        self.step = -2 * self.theta / headroom

    def success(self, t=0.0):
        return 1 - self.share * window(self.theta + t * self.step, self.length, self.half_width)[1]

    def draw(self, generator, size, t=0.0):
        long = generator.random(size) < self.share
        ones = generator.binomial(self.length, 1 / (1 + math.exp(-self.theta - t * self.step)), size)
        right = ~long | (np.abs(ones - self.length // 2) <= self.half_width)
        return right.astype(float), np.stack([long, ones], axis=1)

    def score(self, responses, t):
        theta = self.theta + t * self.step
        own = responses[:, 1] * theta - self.length * np.logaddexp(0, theta)
        return np.where(responses[:, 0] == 1, own + math.log(self.share), math.log1p(-min(self.share, 0.999)))

    def shares(self, size=200_000):
        """Effective share of the right and of the wrong responses at the edge."""
        rewards, responses = self.draw(np.random.default_rng(0), size)
        weight = np.exp(self.score(responses, self.headroom) - self.score(responses, 0.0))
        return [
            float(w.sum() ** 2 / (w**2).sum() / len(w)) for w in (weight[rewards == 1], weight[rewards == 0])
        ]


def ratio_form(rewards, change):
    """Where K₁ − K₀ turns negative, on a fine grid of steps whose log-probabilities are exact."""
    right = rewards == 1
    ones = np.ones(len(rewards))
    return log_mean_exp(change[right], ones[right]) - log_mean_exp(change[~right], ones[~right])


def calibrate(line, size, replicates):
    """A row of the table."""
    places = np.linspace(line.headroom / 32, 2.5 * line.headroom, 80)
    found, ratios, parabolas, covered, beyond = [], [], [], [], []
    void = 0
    for seed in range(replicates):
        generator = np.random.default_rng([seed, size, line.length])
        rewards, responses = line.draw(generator, size)
        if rewards.all() or not rewards.any():
            void += 1
            continue
        scored = [np.stack([line.score(responses, t) for t in steps], axis=1) for steps in (STEPS, places)]
        answer = probe(rewards, scored[0], STEPS, seed=seed)
        change = scored[1] - scored[0][:, :1]
        ratios.append(float(crossing(places, ratio_form(rewards, change))) / line.headroom)
        parabolas.append(answer.quadratic / line.headroom)
        if answer.status is Status.measured:
            found.append(answer.headroom / line.headroom)
            low, high = answer.headroom_interval
            covered.append(low <= line.headroom <= high)
        elif answer.status is Status.beyond_reach:
            beyond.append(answer.headroom <= line.headroom)
        else:
            void += 1

    def three(values):
        if not values:
            return "–"
        return "/".join(f"{x:.2f}" for x in np.quantile(values, [0.1, 0.5, 0.9], method="nearest"))

    right, wrong = line.shares()
    return (
        f"| {'counting' if line.share == 1 else 'gated'} | {right:.2f}, {wrong:.2f} | {size} | {three(found)} | "
        f"{three(ratios)} | {three(parabolas)} | {len(found)}/{len(beyond)}/{void} | "
        f"{np.mean(covered) if covered else math.nan:.2f} | {f'{np.mean(beyond):.2f}' if beyond else '–'} |"
    )


def main():
    """Print the tables."""
    replicates = int(sys.argv[1]) if len(sys.argv) > 1 else 300
    print(
        "| family | share right, wrong | n | probe | K₁ − K₀ | parabola | measured/beyond/void "
        "| covered | bound true |"
    )
    print("|---|---|---|---|---|---|---|---|---|")
    for share, spreads in (
        (1.0, 0.15),
        (1.0, 0.25),
        (1.0, 0.4),
        (0.3, 0.2),
        (0.3, 0.3),
        (0.3, 0.4),
        (1.0, 0.8),
    ):
        for size in (256, 1024, 4096):
            print(calibrate(Line(64, spreads, share, 4.0), size, replicates), flush=True)
    climbs(replicates)


def climbs(replicates):
    """Print the table of `climb` on ten instances."""
    print("\n| climb: T, spreads, share | J(0) | within 10 % | 10/50/90 % | covered | responses | s |")
    print("|---|---|---|---|---|---|---|")
    for length, spreads, share in (
        (64, 1.8, 1.0),
        (256, 1.2, 1.0),
        (16, 1.5, 1.0),
        (1024, 2.5, 1.0),
        (64, 0.8, 1.0),
        (64, 1.5, 0.3),
        (256, 2.0, 0.3),
        (64, 1.0, 0.1),
        (1024, 1.5, 0.5),
        (128, 0.5, 1.0),
    ):
        line = Line(length, spreads, share, 20.0)
        start = time.perf_counter()
        count = max(replicates // 6, 10)
        estimates, covered, drawn = [], [], []
        for seed in range(count):
            generator = np.random.default_rng([seed, 99])
            answer = climb(
                lambda t, size, g=generator, o=line: o.draw(g, size, t), line.score, seed=seed, most=1000
            )
            estimates.append(answer.headroom / 20.0 if answer.status is Status.measured else np.nan)
            covered.append(answer.headroom_interval[0] <= 20.0 <= answer.headroom_interval[1])
            drawn.append(answer.responses)
        good = np.abs(np.array(estimates) - 1) <= 0.1
        q = np.nanquantile(estimates, [0.1, 0.5, 0.9], method="nearest")
        print(
            f"| {length}, {spreads}, {share} | {line.success():.2f} | {good.mean():.2f} | "
            f"{q[0]:.2f}/{q[1]:.2f}/{q[2]:.2f} | "
            f"{np.mean(covered):.2f} | {np.mean(drawn):.0f} | {(time.perf_counter() - start) / count:.2f} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
