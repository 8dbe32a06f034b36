/* The recurrences of gradgap in C, as something to be measured against.

   Same algorithms, same constants, same order of draws as the numba kernels of workflow/scripts/gradgap:
   numerics/binomial.py, numerics/streams.py, numerics/sampling.py, bandits/counting.py, bandits/shared_prompts.py and
   training/engine.py. One rule is built in, the z-scored advantage with token sums, so that the compiler can inline all
   of it. Elementary functions are the C library's, so results agree to rounding and not to the last bit. */

#include <math.h>
#include <stdint.h>
#include <stdlib.h>

/* numerics/binomial.py */

static double stirling_error(double n) {
    if (n < 16.0) return lgamma(n + 1.0) - (n + 0.5) * log(n) + n - 0.9189385332046727;
    double v = 1.0 / (n * n);
    return (1.0 / 12 - (1.0 / 360 - (1.0 / 1260 - (1.0 / 1680 - v / 1188) * v) * v) * v) / n;
}

static double deviance(double k, double mean) {
    if (fabs(k - mean) < 0.1 * (k + mean)) {
        double v = (k - mean) / (k + mean), total = (k - mean) * v, term = 2.0 * k * v;
        for (int j = 1; j < 1000; j++) {
            term *= v * v;
            double previous = total;
            total += term / (2 * j + 1);
            if (total == previous) break;
        }
        return total;
    }
    return k * log(k / mean) + mean - k;
}

static double pmf(int64_t k, int64_t n, double p, double q) {
    if (p == 0.0) return k == 0;
    if (q == 0.0) return k == n;
    if (k == 0) return exp(n * (p < 0.5 ? log1p(-p) : log(q)));
    if (k == n) return exp(n * (q < 0.5 ? log1p(-q) : log(p)));
    double x = k, m = n;
    double exponent = stirling_error(m) - stirling_error(x) - stirling_error(m - x) - deviance(x, m * p) -
                      deviance(m - x, m * q);
    return sqrt(m / (2 * M_PI * x * (m - x))) * exp(exponent);
}

static double sum_down(int64_t k, int64_t stop, int64_t n, double odds) {
    double term = 1.0, total = 1.0;
    for (int64_t j = k; j > stop; j--) {
        term *= j / ((n - j + 1) * odds);
        total += term;
        if (term < 1e-19 * total) break;
    }
    return total;
}

static double sum_up(int64_t k, int64_t stop, int64_t n, double odds) {
    double term = 1.0, total = 1.0;
    for (int64_t j = k; j < stop; j++) {
        term *= (n - j) * odds / (j + 1);
        total += term;
        if (term < 1e-19 * total) break;
    }
    return total;
}

static double fraction(double a, double b, double excess, double p, double q) {
    double scale = 1.0 / (a * sqrt(a * b));
    double top = 1.0, top_before = 0.0, bottom = a * (excess + 1.0) * scale, bottom_before = 1.0;
    for (int64_t m = 1; m < 100000; m++) {
        double factor = m * (b - m) * p * (a + 2 * m + 1.0) / (a + 2 * m - 1.0) * scale;
        double above = (a + m - 1.0) * (a + b + m - 1.0) * p * scale * factor;
        double below = ((a + m) * (excess + 1.0 + m * (2.0 + q)) + m * (m + 1.0)) * scale + factor;
        double next_top = below * top + above * top_before, next_bottom = below * bottom + above * bottom_before;
        double change = next_top * bottom - top * next_bottom;
        top_before = top, top = next_top, bottom_before = bottom, bottom = next_bottom;
        if (fabs(change) <= 1e-17 * top * bottom_before) break;
        if (!(bottom > 1e-100 && bottom < 1e100)) {
            double rescale = 1.0 / bottom;
            top_before *= rescale, top *= rescale, bottom_before *= rescale, bottom = 1.0;
        }
    }
    return q * a * (a + 1.0) * scale * top / bottom;
}

static double tail(int64_t k, int64_t n, double p, double q, double odds) {
    double excess = k - (n + 1) * p;
    if (excess > 0.0 && sqrt(excess * excess + 87.0 * n * p * q) - excess > 150.0)
        return fraction(k, n - k + 1, excess, p, q);
    return sum_up(k, n, n, odds);
}

typedef struct { double success, failure, success_slope, failure_slope; } Rates;

static Rates window(double theta, int64_t n, int64_t half_width) {
    double x = -fabs(theta), odds = exp(x), p = odds / (1.0 + odds), q = 1.0 / (1.0 + odds);
    int64_t low = n / 2 - half_width, high = n / 2 + half_width;
    double edge = -low * q * expm1((2 * half_width + 1) * x);
    int64_t mode = floor((n + 1) * p);
    Rates r;
    if (mode < low) {
        double inside = sum_up(low, high, n, odds), mass = pmf(low, n, p, q);
        r.success = mass * inside;
        r.failure = 1.0 - r.success;
        r.success_slope = edge / inside;
        r.failure_slope = edge * mass / r.failure;
    } else {
        double outside = tail(n - low + 1, n, q, p, 1.0 / odds);
        outside += exp((2 * half_width + 2) * x) * tail(high + 1, n, p, q, odds);
        double mass = pmf(low - 1, n, p, q);
        r.failure = mass * outside;
        r.failure_slope = edge * odds * (n - low + 1) / (low * outside);
        if (r.failure > 0.5) {
            double inside = sum_down(mode, low, n, odds) + sum_up(mode, high, n, odds) - 1.0;
            r.success = pmf(mode, n, p, q) * inside;
        } else
            r.success = 1.0 - r.failure;
        r.success_slope = r.failure * r.failure_slope / r.success;
    }
    if (theta > 0.0) r.success_slope = -r.success_slope, r.failure_slope = -r.failure_slope;
    return r;
}

typedef struct { double success, failure, gap; } Point;

static Point evaluate(double theta, int64_t n, int64_t half_width, double share) {
    Rates r = window(theta, n, half_width);
    if (share < 1.0) {
        double whole = (1.0 - share) + share * r.success;
        r.success_slope *= share * r.success / whole;
        r.success = whole;
        r.failure *= share;
    }
    return (Point){r.success, r.failure, r.success_slope + r.failure_slope};
}

/* training/engine.py, exact: the expected update of GRPO with token sums; the last θ is returned */
double exact(double theta, int64_t n, int64_t half_width, double share, double learning_rate, int64_t iterations) {
    Point at = evaluate(theta, n, half_width, share);
    for (int64_t k = 0; k < iterations; k++) {
        theta += learning_rate * sqrt(at.success * at.failure) * at.gap;
        at = evaluate(theta, n, half_width, share);
    }
    return theta;
}

/* numerics/streams.py and numerics/sampling.py */

static inline uint64_t rotated(uint64_t x, int left) { return x << left | x >> (64 - left); }

static inline uint64_t following(uint64_t *s) {
    uint64_t bits = rotated(s[0] + s[3], 23) + s[0], shifted = s[1] << 17;
    s[2] ^= s[0], s[3] ^= s[1], s[1] ^= s[2], s[0] ^= s[3], s[2] ^= shifted;
    s[3] = rotated(s[3], 45);
    return bits;
}

static inline double uniform(uint64_t *s) { return (following(s) >> 11) * 0x1p-53; }

static int64_t walk(uint64_t *s, int64_t n, double p, double q) {
    double rest = uniform(s);
    if (rest < 0.999999 - n * p) return 0;
    double odds = p / q, none = exp(n * log1p(-p));
    for (;;) {
        double mass = none;
        for (int64_t k = 0; k <= n; k++) {
            rest -= mass;
            if (rest < 0.0) return k;
            mass *= (n - k) * odds / (k + 1);
        }
        rest = uniform(s);
    }
}

typedef struct { double a, b, centre, sure, scale, highest; } Hat;

static Hat hat_of(int64_t n, double p, double q) {
    double variance = n * p * q, deviation = sqrt(variance), b = 1.15 + 2.53 * deviation;
    double highest = variance <= 150.0 ? 0.0 : pmf((int64_t)((n + 1) * p), n, p, q);
    return (Hat){-0.0873 + 0.0248 * b + 0.01 * p, b, n * p + 0.5, 0.92 - 4.2 / b, (2.83 + 5.1 / b) * deviation, highest};
}

static double over_highest(int64_t k, int64_t n, double p, double q, double highest) {
    if (highest > 0.0) return pmf(k, n, p, q) / highest;
    int64_t mode = (n + 1) * p;
    double ratio = 1.0, up = p / q, down = q / p;
    for (int64_t j = mode + 1; j <= k; j++) ratio *= (n - j + 1) * up / j;
    for (int64_t j = k + 1; j <= mode; j++) ratio *= j * down / (n - j + 1);
    return ratio;
}

static int64_t reject(uint64_t *s, int64_t n, double p, double q, Hat h) {
    for (;;) {
        double u = uniform(s) - 0.5, v = uniform(s), edge = 0.5 - fabs(u);
        if (edge == 0.0) continue;
        double x = floor((2.0 * h.a / edge + h.b) * u + h.centre);
        if (x < 0.0 || x > n) continue;
        int64_t k = x;
        if (edge >= 0.07 && v <= h.sure) return k;
        if (v * h.scale <= over_highest(k, n, p, q, h.highest) * (h.a / (edge * edge) + h.b)) return k;
    }
}

static int64_t binomial(uint64_t *s, int64_t n, double p, double q) {
    if (p > q) return n - binomial(s, n, q, p);
    if (p == 0.0) return 0;
    if (n <= 8) {
        int64_t found = 0;
        for (int64_t i = 0; i < n; i++) found += uniform(s) < p;
        return found;
    }
    if (n * p < 10.0) return walk(s, n, p, q);
    return reject(s, n, p, q, hat_of(n, p, q));
}

static int64_t some(uint64_t *s, int64_t n, double p, double log_none) {
    if (n * p > 1.0)
        for (;;) {
            int64_t found = binomial(s, n, p, 1.0 - p);
            if (found > 0) return found;
        }
    double odds = p / (1.0 - p);
    for (;;) {
        double rest = uniform(s) * -expm1(log_none), mass = n * odds * exp(log_none);
        for (int64_t k = 1; k <= n; k++) {
            rest -= mass;
            if (rest < 0.0) return k;
            mass *= (n - k) * odds / (k + 1);
        }
    }
}

static int64_t reach(int64_t n, double p, double q) { return (int64_t)(9.0 * sqrt(n * p * q)) + 40; }

static void tabulate(int64_t n, double p, double q, double *table, int64_t *first_count, int64_t *entries) {
    double odds = p / q, term = 1.0, total = 0.0;
    int64_t mode = (n + 1) * p, span = reach(n, p, q);
    int64_t lowest = mode > span ? mode - span : 0, highest = mode + span < n ? mode + span : n;
    int64_t first = mode, last = mode, below = 0;
    table[mode - lowest] = 1.0;
    while (first > lowest && term > 1e-18) {
        term *= first / ((n - first + 1) * odds);
        first--;
        table[first - lowest] = term;
    }
    term = 1.0;
    while (last < highest && term > 1e-18) {
        term *= (n - last) * odds / (last + 1);
        last++;
        table[last - lowest] = term;
    }
    int64_t size = last - first + 1;
    for (int64_t i = 0; i < size; i++) {
        total += table[first - lowest + i];
        table[i] = total;
    }
    for (int64_t i = 0; i < size; i++) {
        table[i] /= total;
        while (below < size && below < table[i] * size) table[size + below++] = i;
    }
    *first_count = first, *entries = size;
}

static void binomials(uint64_t *s, int64_t n, double p, double q, int64_t draws, double *table, double *out) {
    if (draws == 0) return;
    if (p > q) {
        binomials(s, n, q, p, draws, table, out);
        for (int64_t i = 0; i < draws; i++) out[i] = n - out[i];
        return;
    }
    double mean = n * p;
    if (draws > 4.0 * (1.0 + sqrt(mean * q))) {
        int64_t first, size;
        tabulate(n, p, q, table, &first, &size);
        for (int64_t i = 0; i < draws; i++) {
            double u = uniform(s);
            int64_t k = table[size + (int64_t)(u * size)];
            while (table[k] <= u) k++;
            out[i] = first + k;
        }
    } else if (mean < 10.0)
        for (int64_t i = 0; i < draws; i++) out[i] = binomial(s, n, p, q);
    else {
        Hat hat = hat_of(n, p, q);
        for (int64_t i = 0; i < draws; i++) out[i] = reject(s, n, p, q, hat);
    }
}

/* bandits/groups.py: advantages of a group with `right` of `size` responses right */
static void z_score(double right, double size, double *of_right, double *of_wrong) {
    double deviation = sqrt(right * (size - right) / (size * (size - 1.0)));
    *of_right = deviation == 0.0 ? 0.0 : (size - right) / size / (deviation + 1e-4);
    *of_wrong = deviation == 0.0 ? 0.0 : -right / size / (deviation + 1e-4);
}

/* training/engine.py, sampled: the mean failure rate over the last tenth; `reward` and `score` hold size numbers each */
double sampled(uint64_t *state, double theta, int64_t n, int64_t half_width, double share, double learning_rate,
               int64_t size, int64_t iterations, double *reward, double *score, double *table) {
    int64_t tail_length = iterations / 10 > 1 ? iterations / 10 : 1, moved = 0, many = 0, waiting = 0;
    double failure = evaluate(theta, n, half_width, share).failure, sum = 0.0;
    for (int64_t k = 0; k < iterations; k++) {
        if (waiting == 0) {
            waiting = 1, many = size;
            if (share < 1.0) {
                double log_none = size * log1p(-share), before = log(1.0 - uniform(state)) / log_none;
                if (before < iterations - k)
                    waiting = (int64_t)before + 1, many = some(state, size, share, log_none);
                else
                    waiting = iterations - k, many = 0;
            }
            if (many > 0) {
                double odds = exp(-fabs(theta)), p = odds / (1.0 + odds), q = 1.0 / (1.0 + odds);
                if (theta > 0.0) {
                    double swap = p;
                    p = q, q = swap;
                }
                binomials(state, n, p, q, many, table, score);
                for (int64_t i = 0; i < many; i++) {
                    reward[i] = fabs(score[i] - n / 2) <= half_width;
                    score[i] = score[i] * q - (n - score[i]) * p;
                }
            }
        }
        waiting--;
        if (waiting == 0 && many > 0) {
            double right = size - many, of_right, of_wrong, update = 0.0;
            for (int64_t i = 0; i < many; i++) right += reward[i];
            z_score(right, size, &of_right, &of_wrong);
            for (int64_t i = 0; i < many; i++)
                update += 1.0 / size * (reward[i] > 0.5 ? of_right : of_wrong) * score[i];
            theta += learning_rate * update, moved = 1;
        }
        if (k >= iterations - tail_length) {
            if (moved) failure = evaluate(theta, n, half_width, share).failure, moved = 0;
            sum += failure;
        }
    }
    return sum / tail_length;
}

/* bandits/counting.py: the update from a group that was drawn at `old`, with ratios of tokens, or of responses if
   of_token is 0 */
enum { AT_ONCE = 64 };

static double clipped(double ratio, double weight, double low, double high) {
    return (weight > 0.0 ? ratio <= high : ratio >= low) ? ratio : 0.0;
}

static double again(double theta, double old, int64_t n, double mean, int64_t size, const double *weight,
                    const double *score, double of_token, double of_response, double low, double high) {
    double odds = exp(-fabs(theta)), p = odds / (1.0 + odds), q = 1.0 / (1.0 + odds), update = 0.0;
    double old_odds = exp(-fabs(old)), old_p = old_odds / (1.0 + old_odds), old_q = 1.0 / (1.0 + old_odds);
    if (theta > 0.0) p = q, q = odds / (1.0 + odds);
    if (old > 0.0) old_p = old_q, old_q = old_odds / (1.0 + old_odds);
    if (of_token != 0.0) {
        double one = p / old_p, zero = q / old_q;
        double one_up = clipped(one, 1.0, low, high) * q, zero_up = clipped(zero, 1.0, low, high) * p;
        double one_down = clipped(one, -1.0, low, high) * q, zero_down = clipped(zero, -1.0, low, high) * p;
        for (int64_t i = 0; i < size; i++) {
            if (weight[i] == 0.0) continue;
            double ones = score[i] + mean;
            if (weight[i] > 0.0)
                update += weight[i] * (ones * one_up - (n - ones) * zero_up);
            else
                update += weight[i] * (ones * one_down - (n - ones) * zero_down);
        }
        return update;
    }
    double log_zero = log(q / old_q), moved = theta - old, ratios[AT_ONCE];
    for (int64_t first = 0; first < size; first += AT_ONCE) {
        int64_t some = size - first < AT_ONCE ? size - first : AT_ONCE;
        for (int64_t i = 0; i < some; i++) {
            double log_ratio = of_response * (n * log_zero + (score[first + i] + mean) * moved);
            ratios[i] = log_ratio < 700.0 ? log_ratio : 700.0;
        }
        for (int64_t i = 0; i < some; i++) ratios[i] = exp(ratios[i]);
        for (int64_t i = 0; i < some; i++) {
            double here = weight[first + i];
            if (here == 0.0) continue;
            double ones = score[first + i] + mean, ratio = clipped(ratios[i], here, low, high);
            update += here * (ones * ratio * q - (n - ones) * ratio * p);
        }
    }
    return update;
}

/* training/engine.py, several steps on each batch of counting: the last θ is returned */
double reused(uint64_t *state, double theta, int64_t n, int64_t half_width, double learning_rate, int64_t size,
              int64_t iterations, int64_t steps, double of_token, double of_response, double low, double high,
              double *weight, double *score, double *table) {
    for (int64_t k = 0; k < iterations; k++) {
        double odds = exp(-fabs(theta)), p = odds / (1.0 + odds), q = 1.0 / (1.0 + odds), old = theta;
        if (theta > 0.0) p = q, q = odds / (1.0 + odds);
        binomials(state, n, p, q, size, table, score);
        double right = 0.0, of_right, of_wrong, update = 0.0;
        for (int64_t i = 0; i < size; i++) {
            weight[i] = fabs(score[i] - n / 2) <= half_width;
            right += weight[i];
            score[i] = score[i] * q - (n - score[i]) * p;
        }
        z_score(right, size, &of_right, &of_wrong);
        for (int64_t i = 0; i < size; i++) {
            weight[i] = 1.0 / size * (weight[i] > 0.5 ? of_right : of_wrong);
            update += weight[i] * score[i];
        }
        theta += learning_rate * update;
        for (int64_t j = 1; j < steps; j++)
            theta += learning_rate * again(theta, old, n, n * p, size, weight, score, of_token, of_response, low, high);
    }
    return theta;
}

/* bandits/shared_prompts.py */

static void prompts(const double *theta, const double *differences, int64_t visits, int64_t Q, int64_t C, int64_t W,
                    int64_t d, double *wrong, double *right, double *log_right, double *success, double *failure,
                    double *ascent) {
    for (int64_t q = 0; q < Q; q++) {
        double log_success = 0.0, *up = ascent + q * d;
        for (int64_t j = 0; j < d; j++) up[j] = 0.0;
        for (int64_t c = 0; c < C; c++) {
            const double *here = differences + (q * C + c) * W * d;
            double *of_wrong = wrong + (q * C + c) * W, top = 0.0, total = 0.0;
            for (int64_t a = 0; a < W; a++) {
                double logit = 0.0;
                for (int64_t j = 0; j < d; j++) logit -= theta[j] * here[a * d + j];
                of_wrong[a] = logit;
                if (logit > top) top = logit;
            }
            for (int64_t a = 0; a < W; a++) total += of_wrong[a] = exp(of_wrong[a] - top);
            double of_right = exp(-top);
            double log_p = top == 0.0 ? -log1p(total) : -top - log(of_right + total);
            right[q * C + c] = of_right / (of_right + total);
            log_right[q * C + c] = visits * log_p;
            log_success += visits * log_p;
            for (int64_t a = 0; a < W; a++) {
                of_wrong[a] /= of_right + total;
                for (int64_t j = 0; j < d; j++) up[j] += visits * of_wrong[a] * here[a * d + j];
            }
        }
        success[q] = exp(log_success);
        failure[q] = -expm1(log_success);
    }
}

static void draw_wrong(uint64_t *s, int64_t responses, int64_t visits, int64_t C, int64_t W, const double *wrong,
                       const double *right, const double *log_right, double *later, double *counts) {
    later[C] = 0.0;
    for (int64_t c = C - 1; c >= 0; c--) later[c] = later[c + 1] + log_right[c];
    int64_t earlier = 0;
    for (int64_t c = 0; c < C; c++) {
        int64_t rest = responses - earlier, here = rest;
        if (c < C - 1 && rest > 0) {
            double some = expm1(later[c]), none = exp(log_right[c]) * expm1(later[c + 1]);
            here = binomial(s, rest, expm1(log_right[c]) / some, none / some);
        }
        int64_t tokens = earlier * visits;
        for (int64_t i = 0; i < here; i++) {
            double log_u = log1p(uniform(s) * expm1(log_right[c]));
            int64_t first = log_u / log_right[c] * visits;
            tokens += visits - 1 - (first < visits - 1 ? first : visits - 1);
        }
        double share = 0.0;
        for (int64_t a = 0; a < W; a++) share += wrong[c * W + a];
        int64_t left = here + binomial(s, tokens, share, right[c]);
        for (int64_t a = 0; a < W - 1; a++) {
            double others = 0.0;
            for (int64_t b = a + 1; b < W; b++) others += wrong[c * W + b];
            double part = wrong[c * W + a] + others;
            int64_t picked = left > 0 ? binomial(s, left, wrong[c * W + a] / part, others / part) : 0;
            counts[c * W + a] = picked;
            left -= picked;
        }
        counts[c * W + W - 1] = left;
        earlier += here;
    }
}

/* training/engine.py: θ is moved in place, rates are written for every update and the end */
void contextual(uint64_t *state, double *theta, const double *differences, int64_t visits, int64_t Q, int64_t C,
                int64_t W, int64_t d, double learning_rate, int64_t size, int64_t iterations, double *success_path,
                double *failure_path) {
    double *wrong = malloc(sizeof(double) * (Q * C * W + 2 * Q * C + Q * d + C + 1 + C * W + d + Q));
    double *right = wrong + Q * C * W, *log_right = right + Q * C, *ascent = log_right + Q * C;
    double *later = ascent + Q * d, *counts = later + C + 1, *update = counts + C * W;
    double *outcomes = update + d;
    for (int64_t k = 0; k <= iterations; k++) {
        double *success = success_path + k * Q, *failure = failure_path + k * Q;
        prompts(theta, differences, visits, Q, C, W, d, wrong, right, log_right, success, failure, ascent);
        if (k == iterations) break;
        for (int64_t j = 0; j < d; j++) update[j] = 0.0;
        for (int64_t q = 0; q < Q; q++) outcomes[q] = binomial(state, size, success[q], failure[q]);
        for (int64_t q = 0; q < Q; q++) {
            int64_t many = outcomes[q];
            double of_right, of_wrong;
            z_score(many, size, &of_right, &of_wrong);
            of_right *= 1.0 / size, of_wrong *= 1.0 / size;
            double total = many * of_right + (size - many) * of_wrong;
            for (int64_t j = 0; j < d; j++) update[j] += total * ascent[q * d + j] / Q;
            if (of_wrong == 0.0 || many == size) continue;
            draw_wrong(state, size - many, visits, C, W, wrong + q * C * W, right + q * C, log_right + q * C, later,
                       counts);
            for (int64_t i = 0; i < C * W; i++)
                if (counts[i] > 0.0)
                    for (int64_t j = 0; j < d; j++)
                        update[j] -= of_wrong * counts[i] / Q * differences[(q * C * W + i) * d + j];
        }
        for (int64_t j = 0; j < d; j++) theta[j] += learning_rate * update[j];
    }
    free(wrong);
}
