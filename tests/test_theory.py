"""The statements of docs/theory.md, label by label, against something that does not use them."""

import itertools
import json
import math
from dataclasses import asdict

import mpmath as mp
import numpy as np
import pytest
from gradgap import cli
from gradgap.bandits import FAMILIES
from gradgap.bandits.counting import Counting, half_width, window_is_narrow
from gradgap.bandits.enumerated import Line, tree
from gradgap.errors import ConfigError
from gradgap.measurements.bound_audit import audit
from gradgap.numerics.binomial import window
from gradgap.theory import bounds, catastrophe, closed_forms, exponents
from gradgap.thresholds import exact as thresholds
from gradgap.training.outcome import Outcome
from gradgap.training.rules import ADVANTAGES, AGGREGATIONS
from gradgap.training.run import run
from helpers import even_policy, random_policy
from scipy.optimize import minimize_scalar
from scipy.special import lambertw
from scipy.stats import binom, norm

# ---- Lemmas ----


@pytest.mark.parametrize("key", range(25))
def test_lemmas_1_to_4_on_enumerated_policies(key):
    _, _, line = random_policy(key)
    spread, longest = line.spread, line.tree.depth.max() + 1
    success, failure, _, length = line.at(0.0)
    probability, score = line.responses()
    wrong = ~line.right
    square = probability @ score**2
    given = (probability * score**2)[wrong].sum() / failure
    assert abs(probability @ score) < 1e-12 * longest * spread  # D3
    assert square <= length * spread**2 / 4 * (1 + 1e-12)  # Lemma 2, with the smaller of its constants
    proxy = longest * spread**2 / 4
    for multiplier in np.array([-8.0, -1.0, -0.1, 0.1, 1.0, 8.0]) / spread:  # Lemma 4 (b)
        assert probability @ np.exp(multiplier * score) <= math.exp(multiplier**2 * proxy / 2) * (1 + 1e-12)
    assert given <= proxy * bounds.tail_factor(failure) * (1 + 1e-12)  # Lemma 3
    # Lemma 1, second derivatives, against central differences of the enumerated rates
    h = 1e-3 / spread
    here, left, right = line.gains([0.0, -h, h])
    second = (left - 2 * here + right) / h**2
    curvature = curvatures(line)
    exact = (probability * (score**2 + curvature))[line.right].sum()
    assert second == pytest.approx(exact, rel=1e-3, abs=1e-6 * spread**2 * min(success, failure))


def curvatures(line):
    """h of every response: minus the variances of the slopes along its path."""
    out = np.empty(line.tree.responses)
    z = np.exp(line.logit - line.logit.max(axis=1, keepdims=True))
    p = z / z.sum(axis=1, keepdims=True)
    variance = (p * line.slope**2).sum(axis=1) - (p * line.slope).sum(axis=1) ** 2
    along = np.zeros(len(variance))
    for context, row in enumerate(line.tree.child):
        for child in row:
            total = along[context] - variance[context]
            if child < 0:
                out[-1 - child] = total
            else:
                along[child] = total
    return out


@pytest.mark.parametrize("failure", [1.0, 0.999, 0.5, 0.1, 1e-3, 1e-12, 1e-100, 1e-300])
def test_tail_factor(failure):
    found = bounds.tail_factor(failure)
    with mp.workdps(60):
        n = mp.mpf(failure)
        exact = -mp.lambertw(-(n**2) / mp.e, -1).real
        assert found == pytest.approx(float(exact), rel=1e-12)
    assert found <= 4 * math.log(math.sqrt(2) / failure)
    if 1e-150 < failure < 0.99:
        assert found == pytest.approx(-lambertw(-(failure**2) / math.e, -1).real, rel=1e-10)
        # the least of F(u) in the proof of Lemma 3
        least = minimize_scalar(
            lambda u: 2 / u * (-math.log(failure) - 0.5 * math.log1p(-u)),
            bounds=(1e-9, 1 - 1e-9),
            method="bounded",
        )
        assert found == pytest.approx(least.fun, rel=1e-4)


def test_sub_gaussian_tail_is_nearly_attained_by_a_normal_variable():
    """Lemma 3 for a normal x and A = {|x| ≥ c}: below the bound, and its leading term is right."""
    shares = []
    for c in (2.0, 5.0, 20.0):
        log_rate = norm.logsf(c) + math.log(2)
        given = 1 + c * math.exp(norm.logpdf(c) - norm.logsf(c))
        bound = bounds.tail_factor(math.exp(log_rate))
        assert given <= bound
        shares.append(given / bound)
    assert shares == sorted(shares)
    assert shares[-1] > 0.97


# ---- bounds ----


def test_bounds_by_hand():
    """Every constant, from a calculation on paper: J = 3/4, T = 2 of at most 3, G_p = 2, L_p = 1/2, Δμ = 1/5."""
    found = bounds.bounds(0.2, 0.75, 0.25, 2.0, 3.0, 2.0, 0.5)
    assert found.paper == pytest.approx(0.2 / (2 * (1.5 + 8 * 36)))
    assert found.prop1 == pytest.approx(0.2 / (3 + 36))
    assert found.prop2 == pytest.approx(0.0375 / 9)
    assert found.prop3 == pytest.approx(0.15 / (3 * (0.5 + 16 * math.log(4 * math.sqrt(2)))))
    assert found.prop4 == pytest.approx(0.0375 / 1)
    v = bounds.tail_factor(0.25)
    assert v - 1 - math.log(v) == pytest.approx(2 * math.log(4))
    assert found.prop5 == pytest.approx(0.15 / (3 * (0.5 + 0.5 * v)))


def test_bounds_outside_their_conditions():
    assert math.isnan(bounds.bounds(1, 0.49, 0.51, 2, 2, 1, 0.25).prop3)
    assert math.isnan(bounds.bounds(1, 0.49, 0.51, 2, 2, 1, 0.25).prop5)
    assert set(asdict(bounds.bounds(-1, 0.6, 0.4, 2, 2, 1, 0.25)).values()) == {0.0}


@pytest.mark.parametrize("failure", [0.5, 0.1, 1e-4, 1e-9])
@pytest.mark.parametrize("hessian", [0.01, 0.25, 1.0, 9.0])
def test_propositions_4_and_5_are_never_weaker(failure, hessian):
    found = bounds.bounds(1.0, 1 - failure, failure, 7, 9, 1.0, hessian)
    assert found.prop4 >= found.prop2
    assert found.prop5 >= found.prop3
    assert found.prop1 >= found.paper


def test_what_must_grow_with_the_failure_rate_grows():
    """k(n) in the proofs of Propositions 3 and 5, for the hardest case of no Hessian."""
    n = np.linspace(1e-6, 0.5, 5000)
    assert (np.diff(n * np.log(np.sqrt(2) / n)) > 0).all()
    assert (np.diff(n * np.array([bounds.tail_factor(rate) for rate in n])) > 0).all()


def test_proposition_1_cannot_be_improved():
    """The example below Proposition 1, with the constants of the step itself: the ratio tends to 2 from above."""
    ratios = []
    for length in (4, 30, 300, 3000):
        with mp.workdps(40):
            tau = mp.mpf(1) / (100 * length)

            def log_odds(theta, length=length):
                failure = (1 + mp.exp(theta)) ** -length + (1 + mp.exp(-theta)) ** -length
                return mp.log1p(-failure) - mp.log(failure)

            alignment = mp.diff(log_odds, -tau)
            score = length / (1 + mp.exp(-tau))  # all ones at −τ, or all zeros at τ
            assert log_odds(tau) == pytest.approx(
                float(log_odds(-tau)), rel=1e-14
            )  # even: it falls back at 2τ
            bound = bounds.bounds(float(alignment), 0.9, 0.1, 1, 1, float(score), length / 4).prop1
            ratios.append(float(2 * tau / bound))
    assert 2 <= ratios[3] < 2.01
    assert ratios == sorted(ratios, reverse=True)


@pytest.mark.parametrize("length", [2, 3, 4])
def test_proposition_1_cannot_be_improved_with_constants_of_every_theta(length):
    """The second example below Proposition 1, enumerated."""
    shape = tree(length, 2, False)
    tau, delta = 0.01, 1e-3
    logit, slope = np.zeros((2, *shape.child.shape))
    right = np.ones(shape.responses, bool)
    for digit, sign in ((1, 1.0), (0, -1.0)):
        context = 0
        while context >= 0:
            slope[context, 1] = 1.0
            logit[context, 1] = -tau + (sign * math.log(delta) if context else 0.0)
            context = shape.child[context, digit]
        right[-1 - context] = False
    line = Line(shape, logit, slope, right)
    found = audit(line)
    assert line.at(2 * tau)[:3] == pytest.approx((found.success_rate, found.failure_rate, -found.alignment))
    assert found.critical_step == pytest.approx(2 * tau, rel=1e-5)
    assert found.ratio[0] == pytest.approx(2 * (16 * length + 0.5) / (length - 1), rel=0.02)
    assert found.ratio[1] == pytest.approx(2 * (length + 0.5) / (length - 1), rel=0.02)


@pytest.mark.parametrize("length", [1, 2, 4])
def test_proposition_4_cannot_be_improved(length):
    """The example below Proposition 4, with the curvature of the step itself: the ratio tends to 2 from above."""
    ratios = []
    for tau, rho in ((1.0, 0.1), (0.3, 1e-2), (0.05, 1e-4)):
        line = even_policy(length, tau, rho)
        success, failure, alignment, _ = line.at(0.0)
        bound = bounds.bounds(
            alignment, success, failure, length, length, 2.0, 2 * rho * math.cosh(tau)
        ).prop4
        ratios.append(line.critical_step(1e-4, 1e3) / bound)
        predicted = 2 * tau / math.tanh(tau) * (1 + 2 * rho * math.cosh(tau)) / success
        assert ratios[-1] == pytest.approx(predicted, rel=1e-5)
    assert 2 <= ratios[2] < 2.01
    assert ratios == sorted(ratios, reverse=True)


def test_least_ratio_of_a_single_token():
    """One token: ℓ̈ = Var(x|1) − Var(x|0) ≥ −R²/4, so 12 times Proposition 1 and 132 times the paper's are safe."""
    found = []
    for key in range(3000):
        _, _, line = random_policy(key, longest=1)
        found.append(audit(line).ratio[:2])
    found = np.array(found)
    assert (found >= [132, 12]).all()
    assert (found.min(axis=0) < [140, 12.7]).all()


# ---- closed forms ----


INSTANCES = {
    f"{name}-{length}": FAMILIES.find(name).instance(length, rate)
    for name, length, rate in [
        ("counting", 16, 0.2),
        ("counting", 258, 0.4),
        ("gated", 8, 0.9),
        ("gated", 64, 0.99),
    ]
}
every_instance = pytest.mark.parametrize("instance", list(INSTANCES.values()), ids=list(INSTANCES))


def exact_success(instance, theta):
    """J(θ) as a sum of binomial terms in mpmath."""
    n, width, share = (
        int(instance.kernels.constants[0]),
        int(instance.kernels.constants[1]),
        mp.mpf(instance.kernels.constants[2]),
    )
    p = 1 / (1 + mp.exp(-theta))
    inside = mp.fsum(
        mp.binomial(n, k) * p**k * (1 - p) ** (n - k) for k in range(n // 2 - width, n // 2 + width + 1)
    )
    return 1 - share + share * inside


@every_instance
def test_c1_slope(instance):
    n, width, share = instance.kernels.constants
    a = int(n / 2 - width)
    for theta in (instance.theta0, 0.3 * instance.theta0, -instance.theta0):
        p = 1 / (1 + math.exp(-theta))
        closed = -share * a * (1 - p) * binom.pmf(a, n, p) * math.expm1((2 * width + 1) * theta)
        with mp.workdps(40):
            exact = float(mp.diff(lambda t: exact_success(instance, t), mp.mpf(theta)))
        assert closed == pytest.approx(exact, rel=1e-9)
        success, failure, gap = instance.at(theta)
        assert success * failure * gap == pytest.approx(exact, rel=1e-9)  # D2
    slopes = window(instance.theta0, int(n), int(width))
    assert slopes[2] > 0
    assert slopes[3] > 0


@every_instance
def test_c2_one_step(instance):
    assert thresholds.one_step(instance) == pytest.approx(
        closed_forms.one_step_closed_form(instance), rel=1e-8
    )


@every_instance
@pytest.mark.parametrize("advantage", ["gap", "grpo", "reinforce"])
@pytest.mark.parametrize("aggregation", ["seq-mean-token-sum", "token-mean"])
def test_c3_c4_the_fixed_point_loses_stability_there(instance, advantage, aggregation):
    """The slope of the map at its fixed point is −1, with J″ from mpmath; runs beside it fall in or out."""
    critical = closed_forms.critical_closed_form(instance, advantage, aggregation)
    with mp.workdps(40):
        curvature = float(mp.diff(lambda t: exact_success(instance, t), mp.mpf(0), 2))
    success, failure, _ = instance.at(0.0)
    coefficient = ADVANTAGES.find(advantage).coefficient(success, failure, 0.0)
    divisor = AGGREGATIONS.find(aggregation).divisor(instance)
    assert 1 + critical * coefficient * curvature / (success * failure * divisor) == pytest.approx(
        -1, rel=1e-9
    )
    for factor, shrinks in ((0.999, True), (1.001, False)):
        theta = start = 1e-5 / math.sqrt(instance.max_length)
        for _ in range(100):
            success, failure, gap = instance.at(theta)
            rate = factor * critical * ADVANTAGES.find(advantage).coefficient(success, failure, abs(gap))
            theta += rate * gap / divisor
        assert (abs(theta) < start) == shrinks


def test_c4_reinforce_as_written():
    instance = FAMILIES.find("gated").instance(64, 0.99)
    n, width, share = instance.kernels.constants
    written = 8 / (share * n * (2 * width + 1) * binom.pmf(n // 2 + width, n - 1, 0.5))
    assert closed_forms.critical_closed_form(instance, "reinforce", "seq-mean-token-sum") == pytest.approx(
        written
    )


@pytest.mark.parametrize("fraction", [0.13, 0.37, 0.71, 1.3])
def test_c5_plateau(fraction):
    instance = FAMILIES.find("counting").instance(64, 0.2, window=6)
    step = fraction * abs(instance.theta0)
    found = run(instance, "unit", "seq-mean-token-sum", step, iterations=400)
    assert found.outcome in (Outcome.stagnated, Outcome.collapsed, Outcome.converged)
    assert found.final_failure_rate == pytest.approx(
        closed_forms.plateau_closed_form(instance, step), rel=1e-9
    )


# ---- exponents ----

RULES = [(a, g) for a in ("gap", "grpo", "reinforce", "rloo", "dr_grpo") for g in sorted(AGGREGATIONS)]


@pytest.mark.parametrize(("advantage", "aggregation"), RULES)
@pytest.mark.parametrize("family", ["counting", "gated"])
def test_e1_exponent_in_length(family, advantage, aggregation):
    """Over a factor 64 between lengths so long that 2B + 1 is nearly √T."""
    ends = [
        FAMILIES.find(family).instance(length, {"counting": 0.2, "gated": 0.99}[family])
        for length in (65536, 4194304)
    ]
    rates = [closed_forms.critical_closed_form(instance, advantage, aggregation) for instance in ends]
    slope = math.log(rates[1] / rates[0]) / math.log(ends[1].length / ends[0].length)
    assert slope == pytest.approx(exponents.length_exponent(family, advantage, aggregation), abs=2e-3)


@pytest.mark.parametrize(("advantage", "aggregation"), RULES)
def test_e2_exponent_in_failure_rate(advantage, aggregation):
    ends = [FAMILIES.find("gated").instance(1024, 1 - rate, rate) for rate in (1e-3, 1e-5)]
    rates = [closed_forms.critical_closed_form(instance, advantage, aggregation) for instance in ends]
    slope = math.log(rates[1] / rates[0]) / math.log(1e-2)
    assert slope == pytest.approx(exponents.failure_exponent("gated", advantage, aggregation), abs=3e-3)


def test_e2_says_nothing_where_there_is_no_law():
    assert math.isnan(exponents.failure_exponent("gated", "unit", "token-mean"))
    assert math.isnan(exponents.failure_exponent("counting", "gap", "token-mean"))


def test_e3_one_curve_on_gated():
    z0 = 1.8334247610743426  # Φ(1−z₀) − Φ(−1−z₀) = 0.2
    assert norm.cdf(1 - z0) - norm.cdf(-1 - z0) == pytest.approx(0.2)
    kappa = 8 * z0 / (norm.pdf(z0 - 1) - norm.pdf(z0 + 1))
    assert kappa == pytest.approx(53.4, abs=0.05)
    for length, failure in ((4096, 0.1), (4096, 1e-3), (65536, 0.01)):
        instance = FAMILIES.find("gated").instance(length, 1 - failure, failure)
        success, failure, gap = instance.at(instance.theta0)
        found = thresholds.one_step(instance) / gap * instance.length / (success * failure)
        assert found == pytest.approx(kappa, rel=5e-3)


def test_e4_counting_with_a_fixed_start():
    """8(1−J) for a narrow window; for wide ones the root of a logarithm, from below."""
    length, z0 = 10**6, 2.0

    def scaled(deviations):
        instance = Counting().from_deviations(length, z0, half_width(length, deviations))
        _, failure, gap = instance.at(instance.theta0)
        return thresholds.one_step(instance) / gap * length, failure

    value, failure = scaled(0.05)
    assert value == pytest.approx(8 * failure, rel=5e-3)
    products = [
        value * math.sqrt(2 * math.log(1 / failure)) / (8 * z0) for value, failure in map(scaled, (6, 12, 24))
    ]
    assert products[0] > products[1] > products[2] > 1
    assert products[2] < 1.01


def test_command_prints_every_bound_beside_the_measured_step(capsys):
    arguments = [
        "threshold",
        "gated",
        "--length",
        "64",
        "--success-rate",
        "0.99",
        "--iterations",
        "200",
        "--json",
    ]
    assert cli.main(arguments) == 0
    printed = json.loads(capsys.readouterr().out)
    assert list(printed["bounds"]) == ["paper", "prop1", "prop2", "prop3", "prop4", "prop5"]
    assert all(0 < 2 * bound < printed["one_step"] for bound in printed["bounds"].values())
    assert cli.main(arguments[:-1]) == 0
    text = capsys.readouterr().out
    for name in ("the paper's", *(f"Proposition {k}" for k in range(1, 6))):
        assert text.count(f"{name}, ") == 1
    for value in (printed["one_step"], *printed["bounds"].values()):
        assert f"{value:.6g}" in text


# ---- C6: global or local ----


def update_over_theta(n, width, theta):
    """-F(θ)/θ of the mean-centred rules up to a factor, in mpmath, from the binomial sum and not from C6."""
    t = mp.mpf(theta)
    p = 1 / (1 + mp.exp(-t))
    terms = (
        mp.binomial(n, k) * p**k * (1 - p) ** (n - k) * (k - n * p)
        for k in range(n // 2 - width, n // 2 + width + 1)
    )
    return -mp.fsum(terms) / t


@pytest.mark.parametrize("n", [2, 4, 6, 10, 16, 26, 40, 64])
def test_c6_update_over_distance_falls_exactly_in_narrow_windows(n):
    """All B at every N (N = 26, B = 4 is a case of equality): -F/θ falls throughout, or else it rises at first."""
    for width in range(n // 2):
        with mp.workdps(60):
            near = [update_over_theta(n, width, theta) for theta in (mp.mpf("1e-8"), mp.mpf("2e-4"))]
            thetas = [0.01 * 1.25**k for k in range(32)]  # up to θ = 10
            far = [update_over_theta(n, width, theta) for theta in thetas]
        narrow = (2 * width + 1) ** 2 <= 3 * (n + 1)
        assert window_is_narrow(n, width) == narrow
        falls = near[1] < near[0]
        assert falls == narrow
        if narrow:
            assert all(b < a for a, b in itertools.pairwise([near[1], *far]))


@pytest.mark.parametrize("y", [1e-3, 0.1, 1.0, 3.0, 10.0, 100.0])
def test_c6_langevin_lemma(y):
    with mp.workdps(40):
        assert mp.coth(y) - 1 / mp.mpf(y) < mp.tanh(mp.mpf(y) / 3)


@pytest.mark.parametrize("length", [16, 64, 256])
@pytest.mark.parametrize("window", [0.5, 1.0, 1.5, 1.8, 2.0, 2.5, 3.5])
def test_c6_word_and_safe_learning_rate_against_runs(length, window):
    """Just below `safe` every update comes nearer, from starts all over; a local word has a start that does not."""
    instance = FAMILIES.find("counting").instance(length, 0.2, window=window)
    reach = closed_forms.critical_reach(instance, "reinforce", "seq-mean-token-sum")
    closed = closed_forms.critical_closed_form(instance, "reinforce", "seq-mean-token-sum")
    n, width, _ = (int(value) for value in instance.kernels.constants)
    starts = abs(instance.theta0) * np.linspace(0.02, 1, 60)

    def nearer(rate, theta):
        p = 1 / (1 + math.exp(-theta))
        edge = binom.pmf([n // 2 - width - 1, n // 2 + width], n - 1, p)
        return abs(theta + rate * n * p * (1 - p) * (edge[0] - edge[1])) < theta

    assert all(nearer(0.999 * reach.safe, theta) for theta in starts)
    assert reach.word == ("global" if window_is_narrow(n, width) else "local")
    assert reach.safe <= closed
    if reach.safe < 0.98 * closed:
        assert reach.word == "local"
        assert not all(nearer(0.999 * closed, theta) for theta in starts)
    found = thresholds.critical(instance, "reinforce", iterations=2000)
    assert found.learning_rate > 0.99 * reach.safe
    if reach.word == "global" and window < 2:
        assert found.learning_rate == pytest.approx(closed, rel=0.01)


def test_c6_other_advantages_and_families():
    gated = FAMILIES.find("gated").instance(64, 0.99)
    for advantage in ("gap", "grpo", "rloo"):
        for aggregation in ("seq-mean-token-sum", "token-mean"):
            reach = closed_forms.critical_reach(gated, advantage, aggregation)
            assert reach.word == "global"
            assert reach.safe == closed_forms.critical_closed_form(gated, advantage, aggregation)
    assert closed_forms.critical_reach(gated, "unit", "token-mean").word == ""


# ---- C7–C9: catastrophe ----


@pytest.mark.parametrize("ratio", [0.2, 0.9, 0.99, 1.01, 1.5])
def test_c7_steps_relative_to_the_critical_one(ratio):
    instance = FAMILIES.find("counting").instance(64, 0.2)
    theta, path = mp.mpf(instance.theta0), []
    with mp.workdps(40):
        for _ in range(6):
            path.append(exact_success(instance, theta))
            gap = mp.diff(lambda t: exact_success(instance, t), theta)
            theta += 2 * ratio * abs(theta) * mp.sign(gap)
        factor = abs(theta / instance.theta0) ** (1 / mp.mpf(6))
    assert float(factor) == pytest.approx(catastrophe.strict_factor(ratio), rel=1e-12)
    pairs = list(itertools.pairwise(path))
    assert all(b > a for a, b in pairs) if ratio < 1 else all(b < a for a, b in pairs)


@pytest.mark.parametrize("length", [256, 1024])
def test_c8_gap_falls_at_every_iteration_exactly_above_the_fold(length):
    instance = FAMILIES.find("counting").instance(length, 0.2)
    found = catastrophe.gap_falls(instance)
    assert found.convergence < found.below_start < found.strict
    assert found.below_start == pytest.approx(
        thresholds.one_step(instance) / abs(instance.at(instance.theta0)[2])
    )
    n, width, _ = (int(value) for value in instance.kernels.constants)

    def gap(theta):  # with scipy's binomial, at −θ
        k = np.arange(n // 2 - width, n // 2 + width + 1)
        log_mass = binom.logpmf(k, n, 1 / (1 + math.exp(theta)))
        mass = np.exp(log_mass - log_mass.max())
        success = mass.sum() * math.exp(log_mass.max())
        mean = n / (1 + math.exp(theta))
        return ((mass @ k) / mass.sum() - mean) / (1 - success)

    def strictly_falling(rate):
        theta, updates = abs(instance.theta0), 0
        while (ahead := rate * gap(theta) - theta) > theta and updates < 400:
            theta, updates = ahead, updates + 1
        return updates, theta

    above, below = (strictly_falling(factor * found.strict) for factor in (1.02, 0.98))
    assert above[0] > 20
    assert above[1] > found.turn
    assert below[1] < found.turn  # it comes to rest before the fold, where J is far from 0
    floor = catastrophe.gap_floor(instance, 1.02 * found.strict)
    assert above[1] == pytest.approx(floor, rel=0.02)
    assert 1.02 * found.strict * gap(floor) == pytest.approx(2 * floor, rel=1e-9)


def test_c8_the_floor_is_exponential_in_the_length():
    logs = []
    for length in (256, 512, 1024, 2048):
        instance = FAMILIES.find("counting").instance(length, 0.2)
        floor = catastrophe.gap_floor(instance, 1.05 * catastrophe.gap_falls(instance).strict)
        with mp.workdps(30):
            logs.append(float(mp.log(exact_success(instance, floor))) / length)
    assert all(-0.6 < value < -0.2 for value in logs)
    assert max(logs) / min(logs) > 0.7


@pytest.mark.parametrize("advantage", ["reinforce", "grpo"])
def test_c8_reinforce_and_grpo_cannot_bring_the_success_rate_to_zero(advantage):
    """Too large an update needs α|F(θ)| > 2|θ|, and F falls off exponentially: far out none is too large."""
    instance = FAMILIES.find("counting").instance(256, 0.2)
    coefficient = ADVANTAGES.find(advantage).coefficient
    thetas = np.linspace(0.05, 6, 2000)
    update = []
    for theta in thetas:
        success, failure, gap = instance.at(theta)
        update.append(coefficient(success, failure, abs(gap)) * abs(gap))
    for rate in np.geomspace(1e-3, 1e3, 13):
        too_large = np.flatnonzero(rate * np.array(update) > 2 * thetas)
        assert len(too_large) == 0 or thetas[too_large[-1]] < 6  # bounded, so |θ| cannot grow for ever


def test_c9_linear_bandit_by_enumeration():
    """J and the REINFORCE update from the four responses and the scores of their tokens; threshold ½; exact end."""
    for theta in (0.05, -0.2, 0.4):
        total = update = 0.0
        for first in (0, 1):
            for second in (0, 1):
                chance, score = 1.0, 0.0
                for token in (first, second):
                    p = 0.5 + theta if token else 0.5 - theta
                    chance *= p
                    score += (1 if token else -1) / p
                total += chance * (first != second)
                update += chance * (first != second) * score
        assert total == pytest.approx(0.5 - 2 * theta**2)
        assert update == pytest.approx(-4 * theta)
    below, above = (
        catastrophe.linear_bandit(0.1, 0.499, 4000)[1],
        catastrophe.linear_bandit(0.1, 0.501, 4000)[1],
    )
    assert below[-1] == pytest.approx(0.5, abs=1e-9)
    assert above[-1] == 0.0
    end = int(catastrophe.linear_bandit_fall(0.1, 0.501))
    assert end == math.ceil(math.log(5) / math.log(4 * 0.501 - 1))
    assert all(b < a for a, b in itertools.pairwise(above[: end + 1]))
    assert above[end - 1] > 0 == above[end]
    assert catastrophe.linear_bandit_fall(0.1, 0.5) == math.inf
    with pytest.raises(ConfigError, match=r"0\.5"):
        catastrophe.linear_bandit_fall(0.5, 1.0)
