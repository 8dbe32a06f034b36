"""Experiments that the closed forms of theory/optimizers.py are held to: small, plain, and free of gradgap.

One bandit: with probability `share` a response has N tokens, each a one with probability σ(θ), and is right when
the count of ones is within B of N/2; otherwise it is one token and right. All is written again from that sentence.
"""

import math

import numba
import numpy as np

SGD, MOMENTUM, NESTEROV, SIGN, ADAM, RMSPROP = range(6)


@numba.njit(error_model="numpy")
def slope(theta, n, b, share):
    """dJ/dθ, from E[(S − Np) 1(right)] term by term."""
    p = 1.0 / (1.0 + math.exp(-theta))
    q = 1.0 / (1.0 + math.exp(theta))
    total = 0.0
    for s in range(n // 2 - b, n // 2 + b + 1):
        mass = math.lgamma(n + 1.0) - math.lgamma(s + 1.0) - math.lgamma(n - s + 1.0)
        total += math.exp(mass + s * math.log(p) + (n - s) * math.log(q)) * (s - n * p)
    return share * total


@numba.njit(error_model="numpy")
def success(theta, n, b):
    """Success rate of a long response."""
    p = 1.0 / (1.0 + math.exp(-theta))
    q = 1.0 / (1.0 + math.exp(theta))
    total = 0.0
    for s in range(n // 2 - b, n // 2 + b + 1):
        mass = math.lgamma(n + 1.0) - math.lgamma(s + 1.0) - math.lgamma(n - s + 1.0)
        total += math.exp(mass + s * math.log(p) + (n - s) * math.log(q))
    return total


def start(n, b, rate):
    """θ₀ < 0 with that success rate of a long response, by bisection."""
    low, high = -40.0, 0.0
    for _ in range(200):
        middle = 0.5 * (low + high)
        if success(middle, n, b) < rate:
            low = middle
        else:
            high = middle
    return 0.5 * (low + high)


def half_width(n, window=1.0):
    """B of a window in standard deviations of the count at p = ½."""
    return math.floor(window * math.sqrt(n) / 2 + 0.5)


@numba.njit(error_model="numpy")
def tables(n, b, share, power, reach, size):
    """Update u(θ) and kept(θ) at θ = 0 … reach, u = J′ (J(1−J))^(power − 1)."""
    update, kept = np.empty(size), np.empty(size)
    best = success(0.0, n, b)
    for i in range(size):
        theta = reach * i / (size - 1)
        of_long = success(theta, n, b)
        failure = share * (1.0 - of_long)
        update[i] = -slope(theta, n, b, share) * ((1.0 - failure) * failure) ** (power - 1.0)
        kept[i] = of_long / best
    return update, kept


@numba.njit(error_model="numpy")
def look(table, reach, theta):
    """Linear interpolation at |θ|; the last value beyond."""
    place = abs(theta) / reach * (table.size - 1)
    i = int(place)
    if place >= table.size - 1:
        return table[-1]
    return table[i] + (place - i) * (table[i + 1] - table[i])


@numba.njit(error_model="numpy")
def exact_run(
    kind, beta1, beta2, eps, clip, warmup, update, kept, reach, theta, rate, iterations, delay, path
):
    """Mean kept and mean θ² over the last tenth of a run of the expected update."""
    m = v = 0.0
    past = np.zeros(delay + 1)
    tail = max(iterations // 10, 1)
    tail += tail % 2
    kept_sum = square_sum = 0.0
    past[:] = theta
    for k in range(iterations):
        past[k % (delay + 1)] = theta
        seen = past[(k + 1) % (delay + 1)]  # the oldest: θ of `delay` iterations ago
        u = -look(update, reach, seen) if seen > 0 else look(update, reach, seen)
        if abs(u) > clip:
            u *= clip / abs(u)
        if kind == SGD:
            step = u
        elif kind == MOMENTUM:
            m = beta1 * m + u
            step = m
        elif kind == NESTEROV:
            m = beta1 * m + u
            step = u + beta1 * m
        elif kind == SIGN:
            step = (u > 0) * 1.0 - (u < 0) * 1.0
        elif kind == RMSPROP:
            v = beta2 * v + (1 - beta2) * u * u
            step = u / (math.sqrt(v) + eps)
        else:
            m = beta1 * m + (1 - beta1) * u
            v = beta2 * v + (1 - beta2) * u * u
            step = (m / (1 - beta1 ** (k + 1))) / (math.sqrt(v / (1 - beta2 ** (k + 1))) + eps)
        theta += rate * min((k + 1) / warmup, 1.0) * step
        if k < path.size:
            path[k] = theta
        if k >= iterations - tail:
            kept_sum += look(kept, reach, theta)
            square_sum += theta * theta
    return kept_sum / tail, square_sum / tail


@numba.njit(error_model="numpy")
def exact_kept(kind, beta1, beta2, eps, clip, warmup, update, kept, reach, starts, rates, iterations):
    """Mean kept over the starts, at each learning rate."""
    out = np.zeros(rates.size)
    none = np.empty(0)
    for j in range(rates.size):
        for i in range(starts.size):
            out[j] += exact_run(
                kind,
                beta1,
                beta2,
                eps,
                clip,
                warmup,
                update,
                kept,
                reach,
                starts[i],
                rates[j],
                iterations,
                0,
                none,
            )[0]
    return out / starts.size


def non_increasing(values):
    """Least-squares non-increasing fit, by pooling adjacent violators."""
    blocks = []
    for value in values:
        blocks.append([value, 1])
        while len(blocks) > 1 and blocks[-2][0] < blocks[-1][0]:
            last, before = blocks.pop(), blocks.pop()
            count = last[1] + before[1]
            blocks.append([(last[0] * last[1] + before[0] * before[1]) / count, count])
    return np.concatenate([[value] * count for value, count in blocks])


def half(rates, kept, slow=True):
    """Where kept, made non-increasing from its largest value on, falls through ½."""
    first = int(np.argmax(kept)) if slow else 0  # below it runs are only slow
    fitted = non_increasing(kept[first:])
    below = np.flatnonzero(fitted < 0.5)
    if fitted[0] < 0.5 or below.size == 0:
        return math.nan
    j = int(below[0])
    share = (fitted[j - 1] - 0.5) / (fitted[j - 1] - fitted[j])
    a, b = math.log(rates[first + j - 1]), math.log(rates[first + j])
    return math.exp(a + share * (b - a))


class Bandit:
    """The bandit with long length N and share ε, from a start at which long responses are right at `rate`."""

    def __init__(self, n, share=1.0, rate=0.2, window=1.0, power=1.0):
        self.n, self.share, self.b = n, share, half_width(n, window)
        self.theta0 = start(n, self.b, rate)
        self.reach = min(25 * 2 / math.sqrt(n), 30.0) + abs(self.theta0)
        self.update, self.kept = tables(n, self.b, share, power, self.reach, 6001)
        self.u0 = look(self.update, self.reach, self.theta0)
        step = self.reach / 6000
        self.curvature = self.update[1] / step  # |du/dθ| at 0

    def half_kept(
        self,
        kind,
        beta1=0.9,
        beta2=0.999,
        eps=0.0,
        clip=math.inf,
        warmup=1.0,
        low=None,
        decades=3.0,
        iterations=2000,
        starts=24,
        per_decade=48,
    ):
        """Half-kept learning rate of the exact dynamics."""
        low = 1e-2 * 2 / math.sqrt(self.n) * 30 if low is None else low
        rates = low * 10.0 ** np.arange(0, decades, 1 / per_decade)
        at = self.theta0 * np.linspace(0.8, 1.2, starts)
        kept = exact_kept(
            kind, beta1, beta2, eps, clip, warmup, self.update, self.kept, self.reach, at, rates, iterations
        )
        return half(rates, kept)


@numba.njit(error_model="numpy")
def sampled_run(
    kind, beta1, beta2, n, share, b, advantage, size, theta, rate, iterations, seed, dynamic, decay, warmup
):
    """Mean kept over the last tenth, and rms(u) over the run, of groups drawn one by one.

    Advantages: 0 minus the mean, 1 z-score, 2 the reward itself, 3 minus the mean of the others. The count of ones is
    drawn as a rounded normal, so N must be large.
    """
    np.random.seed(seed)  # noqa: NPY002 (compiled code has no Generator of its own)
    m = v = square = kept = 0.0
    left1 = left2 = 1.0
    tail = max(iterations // 10, 1)
    last, last_theta = math.nan, math.nan
    best = math.erf((b + 0.5) / math.sqrt(n / 2.0))
    for k in range(iterations):
        p = 1.0 / (1.0 + math.exp(-theta))
        q = 1.0 / (1.0 + math.exp(theta))
        deviation = math.sqrt(n * p * q)
        wrong, right_score, wrong_score = 0, 0.0, 0.0
        for _ in range(np.random.binomial(size, share) if share < 1 else size):  # noqa: NPY002
            ones = round(n * p + deviation * np.random.normal())  # noqa: NPY002
            if abs(ones - n // 2) <= b:
                right_score += ones - n * p
            else:
                wrong += 1
                wrong_score += ones - n * p
        right = size - wrong
        u = 0.0
        if advantage == 2:
            u = right_score / size
        elif right > 0 and wrong > 0:
            scale = 1.0
            if advantage == 1:
                scale = 1.0 / (math.sqrt(right * wrong / (size * (size - 1.0))) + 1e-4)
            if advantage == 3:
                scale = size / (size - 1.0)
            u = scale * (wrong / size * right_score - right / size * wrong_score) / size
        square += u * u
        step = u
        if kind == ADAM and not (dynamic and (right == 0 or wrong == 0)):
            left1 *= beta1
            left2 *= beta2
            m = beta1 * m + (1 - beta1) * u
            v = beta2 * v + (1 - beta2) * u * u
            step = m / (1 - left1) / math.sqrt(v / (1 - left2)) if v > 0 else 0.0
        theta += rate * (1.0 - decay * k / iterations) * min((k + 1) / warmup, 1.0) * step
        theta = min(max(theta, -700.0), 700.0)
        if k >= iterations - tail:
            if theta != last_theta:
                p = 1.0 / (1.0 + math.exp(-theta))
                q = 1.0 / (1.0 + math.exp(theta))
                width = math.sqrt(2 * n * p * q)
                middle = n * (p - 0.5)
                last = (
                    (math.erf((b + 0.5 - middle) / width) + math.erf((b + 0.5 + middle) / width)) / 2 / best
                )
                last_theta = theta
            kept += last
    return kept / tail, math.sqrt(square / iterations)


@numba.njit(error_model="numpy")
def sampled_kept(
    kind,
    beta1,
    beta2,
    n,
    share,
    b,
    advantage,
    size,
    theta,
    rates,
    iterations,
    replicates,
    dynamic,
    decay,
    warmup,
):
    """Mean kept over replicates, at each learning rate."""
    out = np.zeros(rates.size)
    for j in range(rates.size):
        for seed in range(replicates):
            out[j] += sampled_run(
                kind,
                beta1,
                beta2,
                n,
                share,
                b,
                advantage,
                size,
                theta,
                rates[j],
                iterations,
                1000 * j + seed,
                dynamic,
                decay,
                warmup,
            )[0]
    return out / replicates


def sampled_half_kept(
    kind,
    length,
    failure,
    size,
    low,
    decades=2.5,
    beta1=0.9,
    beta2=0.999,
    advantage=0,
    replicates=24,
    dynamic=False,
    decay=0.0,
    warmup=1.0,
):
    """Half-kept learning rate of sampled groups on the rare-failure bandit, and N."""
    share = failure / 0.8
    n = 2 * round(length / share / 2)
    b = half_width(n)
    iterations = max(2000, math.ceil(200 / (size * failure)))
    rates = low * 10.0 ** np.arange(0, decades, 1 / 8)
    kept = sampled_kept(
        kind,
        beta1,
        beta2,
        n,
        share,
        b,
        advantage,
        size,
        start(n, b, 0.2),
        rates,
        iterations,
        replicates,
        dynamic,
        decay,
        warmup,
    )
    return half(rates, kept), n


TOKEN, SEQUENCE, GSPO = range(3)


@numba.njit(error_model="numpy")
def surrogate_gradient(ratio, n, b, theta, old, masses, first, rate_old, low, high):
    """Expected gradient at θ of the clipped surrogate of a batch drawn at `old`; advantages are r − J(old).

    masses[i] is the probability of first + i ones under `old`. Token sums. A term counts while its ratio has not
    passed the clip on the side to which its advantage pushes it.
    """
    p, q = 1.0 / (1.0 + math.exp(-theta)), 1.0 / (1.0 + math.exp(theta))
    p_old, q_old = 1.0 / (1.0 + math.exp(-old)), 1.0 / (1.0 + math.exp(old))
    one, zero = p / p_old, q / q_old
    total = 0.0
    for i in range(masses.size):
        ones = first + i
        advantage = 1.0 - rate_old if abs(ones - n // 2) <= b else -rate_old
        if ratio == TOKEN:
            one_counts = one <= 1 + high if advantage > 0 else one >= 1 - low
            zero_counts = zero <= 1 + high if advantage > 0 else zero >= 1 - low
            push = (ones / p_old if one_counts else 0.0) - ((n - ones) / q_old if zero_counts else 0.0)
            total += masses[i] * advantage * p * q * push
        else:
            log_ratio = ones * math.log(one) + (n - ones) * math.log(zero)
            if ratio == GSPO:
                log_ratio /= n
            weight = math.exp(min(log_ratio, 700.0))
            if (weight <= 1 + high) if advantage > 0 else (weight >= 1 - low):
                total += masses[i] * advantage * weight * (ones - n * p)
    return total


@numba.njit(error_model="numpy")
def count_masses(n, b, theta):
    """Probabilities of the counts that matter, the first of them, and the success rate."""
    p, q = 1.0 / (1.0 + math.exp(-theta)), 1.0 / (1.0 + math.exp(theta))
    deviation = math.sqrt(n * p * q)
    first = max(0, int(n * p - 9 * deviation - 6))
    masses = np.empty(min(n, int(n * p + 9 * deviation + 6)) - first + 1)
    rate = 0.0
    for i in range(masses.size):
        s = first + i
        masses[i] = math.exp(
            math.lgamma(n + 1.0)
            - math.lgamma(s + 1.0)
            - math.lgamma(n - s + 1.0)
            + s * math.log(p)
            + (n - s) * math.log(q)
        )
        if abs(s - n // 2) <= b:
            rate += masses[i]
    return masses, first, rate


@numba.njit(error_model="numpy")
def epochs_run(ratio, n, b, steps, low, high, theta, rate, batches):
    """Mean kept over the last tenth of the batches, and θ at the end, with `steps` steps a batch."""
    tail = max(batches // 10, 1)
    tail += tail % 2
    kept = 0.0
    for k in range(batches):
        old = theta
        masses, first, rate_old = count_masses(n, b, old)
        for _ in range(steps):
            theta += rate * surrogate_gradient(ratio, n, b, theta, old, masses, first, rate_old, low, high)
            theta = min(max(theta, -30.0), 30.0)
        if k >= batches - tail:
            kept += success(theta, n, b)
    return kept / tail / success(0.0, n, b), theta


@numba.njit(error_model="numpy")
def clips_kept(ratio, n, b, steps, clips, starts, rate, batches):
    """Mean kept over the starts, at each symmetric clip."""
    out = np.zeros(clips.size)
    for j in range(clips.size):
        for theta in starts:
            out[j] += epochs_run(ratio, n, b, steps, clips[j], clips[j], theta, rate, batches)[0]
    return out / starts.size
