"""Policies that are networks: held against enumeration, finite differences, and the package's own weights."""

import itertools
import os
import subprocess
import sys

import numpy as np
import pytest
import yaml
from conftest import ROOT
from gradgap.errors import ConfigError
from gradgap.measurements import network_forecasts
from gradgap.probe import Status, pool
from gradgap.sweep import config
from gradgap.training import rules
from gradgap.training.rules import weights

pytest.importorskip("jax")
pytest.importorskip("optax")

import jax
import jax.numpy as jnp
import optax
from gradgap.networks import cache, half_kept, instance, pretraining, training
from gradgap.networks.policies import KINDS, draw, network
from gradgap.networks.tasks import Sum, Window, task
from gradgap.thresholds.exact import Search


@pytest.fixture(autouse=True, scope="session")
def shared_cache(tmp_path_factory):
    """A cache for all tests: what is pre-trained once need not be again."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GRADGAP_NETWORKS_CACHE", str(tmp_path_factory.mktemp("networks")))
        yield


@pytest.fixture
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("GRADGAP_NETWORKS_CACHE", str(tmp_path))


@pytest.fixture
def unoptimized():
    """Compiled in half the time; draws, gaps and the test of same bits are compiled as in a study."""
    jax.config.update("jax_disable_most_optimizations", True)
    yield
    jax.config.update("jax_disable_most_optimizations", False)


# one compilation each, instead of one an operation
collect = jax.jit(training.collect, static_argnums=(2, 3, 4))
update = jax.jit(training.update, static_argnums=(3, 4))
score_of = jax.jit(
    lambda network, p, prompt, tokens: jax.grad(lambda q: network.log_probabilities(q, prompt, tokens)[0])(p),
    static_argnums=0,
)


def every(vocabulary: int, tokens: int) -> np.ndarray:
    return np.array(list(itertools.product(range(vocabulary), repeat=tokens)), np.int32)


def tiny(kind: str, name: str, dtype=jnp.float32):
    """A task, a network and random parameters, with every response to one prompt."""
    made = Window(4) if name == "window" else Sum(3)
    policy = KINDS[kind](made.vocabulary, made.symbols, 4)
    parameters = policy.initial(jax.random.key(5), dtype)
    responses = every(made.vocabulary, made.tokens)
    prompt = np.array([[1, 3, 2]], np.int32) if made.symbols else np.zeros((1, 0), np.int32)
    return made, policy, parameters, np.repeat(prompt, len(responses), axis=0), responses


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", ["window", "sum"])
def test_gradient_of_success_rate_is_that_of_finite_differences(kind, name, unoptimized):
    """∇J by automatic differentiation, J(1−J)g by enumeration, and differences of J agree."""
    with jax.enable_x64(True):
        made, policy, parameters, prompts, responses = tiny(kind, name, jnp.float64)
        right = np.asarray(made.right(prompts, responses))

        @jax.jit
        def known(parameters):
            """J, its gradient, and probabilities and scores of all responses."""

            def logs(parameters):
                return policy.log_probabilities(parameters, prompts, responses)

            rate, slope = jax.value_and_grad(lambda p: jnp.exp(logs(p))[right].sum())(parameters)
            return rate, slope, jnp.exp(logs(parameters)), jax.jacrev(logs)(parameters)

        rate, slope, chances, scores = jax.device_get(known(parameters))
        assert 0.001 < rate < 0.999
        np.testing.assert_allclose(chances.sum(), 1, rtol=1e-12)
        for entry in parameters:
            score = np.asarray(scores[entry]).reshape(len(responses), -1)
            gap = chances[right] @ score[right] / rate - chances[~right] @ score[~right] / (1 - rate)
            np.testing.assert_allclose(np.ravel(slope[entry]), rate * (1 - rate) * gap, rtol=1e-9, atol=1e-13)
        generator = np.random.default_rng(1)
        for _ in range(5):
            along = {k: generator.normal(size=v.shape) for k, v in parameters.items()}

            def moved(t, along=along):
                return float(known({k: v + t * along[k] for k, v in parameters.items()})[0])

            step = 1e-4
            differences = (8 * (moved(step) - moved(-step)) - (moved(2 * step) - moved(-2 * step))) / (
                12 * step
            )
            exact = sum((np.asarray(slope[k]) * along[k]).sum() for k in parameters)
            np.testing.assert_allclose(differences, exact, rtol=1e-7, atol=1e-10)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", ["window", "sum"])
def test_samples_are_drawn_with_their_probabilities(kind, name):
    made, policy, parameters, prompts, responses = tiny(kind, name)
    chances = np.exp(np.asarray(policy.log_probabilities(parameters, prompts, responses)))
    count = 40000
    uniforms = jax.random.uniform(jax.random.key(2), (count, made.tokens))
    drawn = np.asarray(policy.sample(parameters, uniforms, np.repeat(prompts[:1], count, axis=0)))
    digits = made.vocabulary ** np.arange(made.tokens)[::-1]
    found = np.bincount(drawn @ digits, minlength=len(responses))
    squares = (found - count * chances) ** 2 / (count * chances)
    degrees = len(responses) - 1
    assert abs(squares.sum() - degrees) < 5 * np.sqrt(2 * degrees)  # Pearson's χ²
    few = np.asarray(policy.sample(parameters, uniforms[:64], np.repeat(prompts[:1], 64, axis=0)))
    np.testing.assert_array_equal(
        few, drawn[:64]
    )  # a response does not depend on how many are drawn beside it


@pytest.mark.parametrize("kind", KINDS)
def test_success_rate_and_gap_from_samples_are_those_of_enumeration(kind):
    made = Window(4)
    policy = KINDS[kind](2, 0, 4)
    parameters = policy.initial(jax.random.key(8))
    responses = every(2, 4)
    prompts = np.zeros((16, 0), np.int32)
    right = np.asarray(made.right(prompts, responses))
    chances = np.exp(np.asarray(policy.log_probabilities(parameters, prompts, responses), dtype=float))
    rate = chances[right].sum()
    scores = jax.jit(jax.jacrev(lambda p: policy.log_probabilities(p, prompts, responses)))(parameters)
    count = 100_000
    found, error = instance.success_rate(parameters, jax.random.key(1), made, policy, count)
    assert abs(found - rate) < 5 * error
    np.testing.assert_allclose(error, np.sqrt(rate * (1 - rate) / count), rtol=0.05)
    gap, share = training.gap(parameters, jax.random.key(4), made, policy, count)
    assert abs(float(share) - rate) < 5 * error
    for entry in parameters:
        score = np.asarray(scores[entry], dtype=float).reshape(16, -1)
        means, spreads = [], []
        for which in (right, ~right):
            p = chances[which] / chances[which].sum()
            mean = p @ score[which]
            means.append(mean)
            spreads.append(p @ (score[which] - mean) ** 2 / (count * chances[which].sum()))
        off = np.abs(np.ravel(gap[entry]) - (means[0] - means[1]))
        assert (off < 5.5 * np.sqrt(spreads[0] + spreads[1]) + 2e-5).all()
    # the gap is aligned with itself by its whole norm
    length = np.sqrt(sum((np.asarray(leaf, float) ** 2).sum() for leaf in gap.values()))
    np.testing.assert_allclose(training.alignment(gap, gap), length, rtol=1e-5)
    np.testing.assert_allclose(
        training.alignment({k: -3 * v for k, v in gap.items()}, gap), -length, rtol=1e-5
    )
    assert float(training.alignment({k: 0 * v for k, v in gap.items()}, gap)) == 0


@pytest.mark.parametrize("advantage", ["grpo", "reinforce", "rloo", "dr_grpo"])
@pytest.mark.parametrize("aggregation", sorted(rules.AGGREGATIONS))
def test_weights_are_those_of_the_package(advantage, aggregation):
    """On random groups, of one length and of two."""
    generator = np.random.default_rng(3)
    for share in (1.0, 0.3):
        made, groups, size = Window(12, share), 50, 8
        right = generator.random((groups, size)) < generator.random((groups, 1))
        long = generator.random((groups, size)) < share
        right |= ~long
        batch = training.Batch(None, None, None, None, jnp.array(right.ravel()), jnp.array(long.ravel()))
        table = training.tables(advantage, aggregation, made, size)
        found = np.asarray(training.weights(batch, table, groups)).reshape(groups, size)
        for i in range(groups):
            lengths = np.where(long[i], 12, 1)
            expected = weights(advantage, aggregation, right[i], lengths, 12)
            np.testing.assert_allclose(found[i], expected, rtol=2e-6, atol=1e-9)


@pytest.mark.parametrize("share", [1.0, 0.2])
def test_update_is_the_weighted_sum_of_scores(share, unoptimized):
    """Of all groups: the weights of the package times scores, one response at a time."""
    made = Window(6, share)
    policy = KINDS["recurrent"](2, 0, 3)
    parameters = policy.initial(jax.random.key(0))
    setup = training.Setup(groups=40, group_size=4)
    batch = collect(parameters, jax.random.key(9), made, policy, setup)
    table = training.tables("grpo", "token-mean", made, 4)
    found = update(parameters, batch, table, policy, 40)
    expected = {k: np.zeros(v.shape) for k, v in parameters.items()}
    right, long = (np.asarray(x).reshape(40, 4) for x in (batch.right, batch.long))
    assert right[~long].all()
    assert int(long.sum()) == int(batch.real.sum())
    own = np.stack(
        [weights("grpo", "token-mean", r, np.where(w, 6, 1), 6) for r, w in zip(right, long, strict=True)]
    )
    for prompt, tokens, place, real in zip(
        *(np.asarray(x) for x in (batch.prompts, batch.tokens, batch.places, batch.real)), strict=True
    ):
        assert real == long.ravel()[place]
        if real:
            score = score_of(policy, parameters, prompt[None], tokens[None])
            for k in expected:
                expected[k] += own.ravel()[place] * np.asarray(score[k]) / 40
    assert any(np.abs(v).max() > 1e-4 for v in expected.values())
    for k, values in expected.items():
        np.testing.assert_allclose(found[k], values, rtol=1e-4, atol=1e-7)


def test_share_of_long_responses_is_the_asked_one():
    made = Window(6, 0.1)
    policy = KINDS["recurrent"](2, 0, 2)
    setup = training.Setup(groups=16, group_size=8)
    parameters = policy.initial(jax.random.key(0))
    draws = [collect(parameters, jax.random.key(i), made, policy, setup).long.mean() for i in range(40)]
    assert abs(np.mean(draws) - 0.1) < 5 * np.sqrt(0.1 * 0.9 / (40 * 128))


@pytest.mark.parametrize(
    ("name", "length", "failure"), [("window", 8, 0.7), ("sum", 2, 0.5), ("gated", 4, 0.2)]
)
@pytest.mark.parametrize("kind", KINDS)
def test_pretraining_reaches_the_asked_success_rate(name, length, failure, kind, unoptimized):
    made = instance.instance(name, length, failure, kind=kind, seed=1)
    fresh, error = instance.success_rate(made.parameters, jax.random.key(77), made.task, made.network, 8192)
    asked = 1 - failure / made.task.share
    assert abs(fresh - asked) < instance.TOLERANCE + 5 * error
    assert abs(made.failure_rate - failure) <= instance.TOLERANCE * made.task.share


def test_a_success_rate_out_of_reach_is_refused(monkeypatch):
    monkeypatch.setattr(pretraining, "_NETWORKS", 2)
    with pytest.raises(ConfigError, match=r"success_rate: 0.999 is out of reach .* allowed: below 0\."):
        instance.instance("window", 8, 0.001)
    with pytest.raises(ConfigError, match="unknown task 'product'; known: gated, sum, window"):
        task("product", 8, 0.5)
    with pytest.raises(ConfigError, match="network: 'mamba' is not known; allowed: recurrent, transformer"):
        network("mamba", 2, 0, 8)
    with pytest.raises(ConfigError, match="optimizer: 'lion' is not known here; allowed: sgd, adam"):
        training.Setup(optimizer="lion")


def test_a_missed_success_rate_is_refused(monkeypatch, own_cache):
    monkeypatch.setattr(Window, "pretrained", lambda task, network, random, target: network.initial(random))
    with pytest.raises(ConfigError, match=r"pre-training window at length 8 ended at .* instead of 0.050"):
        instance.instance("window", 8, 0.95)


def test_cache_is_found_by_content(monkeypatch, own_cache):
    made = []
    pretrain = Window.pretrained
    monkeypatch.setattr(Window, "pretrained", lambda *rest: made.append(rest) or pretrain(*rest))
    first = instance.instance("window", 8, 0.7)
    again = instance.instance("window", 8, 0.7)
    assert len(made) == 1
    for k in first.parameters:
        np.testing.assert_array_equal(first.parameters[k], again.parameters[k])
    instance.instance("window", 8, 0.7, replicate="1")
    instance.instance("window", 8, 0.7, seed=1)
    instance.instance("window", 8, 0.6)
    assert len(made) == 4
    for path in (cache.folder() / "weights").iterdir():  # a damaged file is made anew
        data = bytearray(path.read_bytes())
        data[len(data) // 2] ^= 1
        path.write_bytes(data)
    mended = instance.instance("window", 8, 0.7)
    assert len(made) == 5
    for k in first.parameters:
        np.testing.assert_array_equal(first.parameters[k], mended.parameters[k])


def test_a_run_gives_the_same_bits_again():
    made = instance.instance("gated", 4, 0.2, seed=1)  # pre-trained above
    setup = training.Setup("adam", iterations=5, looks=(-1.0, 0.0))
    runs = [
        training.run(made, "grpo", "token-mean", 0.05, instance.key(0, {"replicate": "3"}), setup)
        for _ in range(2)
    ]
    for one, two in zip(jax.tree.leaves(runs[0]), jax.tree.leaves(runs[1]), strict=True):
        np.testing.assert_array_equal(one, two)
    other = training.run(made, "grpo", "token-mean", 0.05, instance.key(0, {"replicate": "4"}), setup)
    assert (other.rewards != runs[0].rewards).any()


def test_a_clip_shortens_the_update_to_its_norm(unoptimized):
    made = instance.instance("window", 8, 0.7, seed=1)
    random = instance.key(0, {"replicate": "0"})
    setup = training.Setup(iterations=1, clip=0.1)
    curve = training.run(made, "grpo", "seq-mean-token-sum", 0.5, random, setup)
    batch = collect(made.parameters, jax.random.split(random, 2)[1], made.task, made.network, setup)
    table = training.tables("grpo", "seq-mean-token-sum", made.task, 8)
    u = jax.device_get(update(made.parameters, batch, table, made.network, 16))
    length = np.sqrt(sum((leaf**2).sum() for leaf in u.values()))
    assert length > 0.1
    np.testing.assert_allclose(curve.step_size, 0.5 * 0.1, rtol=1e-4)
    for k, start in made.parameters.items():
        np.testing.assert_allclose(
            curve.parameters[k] - start, 0.5 * 0.1 * u[k] / length, rtol=1e-3, atol=3e-7
        )


@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
def test_forecast_of_a_run_is_that_of_enumeration(optimizer, unoptimized):
    """Steps are those of the optimizer, batches are scored along the step before them, and what these give when they
    are pooled is what slopes and curvatures of J give."""
    made = instance.instance("window", 8, 0.7, seed=1)
    rate = {"sgd": 0.1, "adam": 0.01}[optimizer]
    setup = training.Setup(optimizer, iterations=17, groups=64, looks=network_forecasts.LOOKS)
    random = instance.key(0, {"replicate": "0"})
    curve = training.run(made, "grpo", "seq-mean-token-sum", rate, random, setup)
    assert curve.log_probabilities.shape == (17, 5, 512)
    np.testing.assert_allclose(curve.rewards.mean(axis=1), curve.success_rate, rtol=1e-6)
    found = pool(network_forecasts.records_of(curve, setup, rate, prompts=False), seed=1)

    table = training.tables("grpo", "seq-mean-token-sum", made.task, 8)
    moving = training.OPTIMIZERS[optimizer]()
    responses = every(2, 8)
    prompts = np.zeros((len(responses), 0), np.int32)
    right = np.asarray(made.task.right(prompts, responses))

    def along(now, step, t, prompts, responses):
        there = jax.tree.map(lambda x, dx: x + t * dx, now, step)
        return made.network.log_probabilities(there, prompts, responses)

    @jax.jit
    def once(now, memory, last, key):
        """One update, what is scored before it, and J′ and J″ along the step before it."""
        batch = training.collect(now, key, made.task, made.network, setup)
        scored = jnp.stack([along(now, last, t, batch.prompts, batch.tokens) for t in setup.looks])
        slope = jax.grad(lambda t: jnp.exp(along(now, last, t, prompts, responses))[right].sum())
        u = training.update(now, batch, table, made.network, setup.groups)
        moves, memory = moving.update(jax.tree.map(jnp.negative, u), memory)
        moves = jax.tree.map(lambda move: rate * move, moves)
        out = scored, slope(0.0), jax.grad(slope)(0.0), training.norm(moves), u, moves
        return optax.apply_updates(now, moves), memory, moves, out

    now, memory = made.parameters, moving.init(made.parameters)
    last = jax.tree.map(jnp.zeros_like, now)
    outs = []
    for key in jax.random.split(random, setup.iterations + 1)[1:]:
        now, memory, last, out = once(now, memory, last, key)
        outs.append(out)
    scored, slopes, curvatures, sizes = map(np.array, zip(*(out[:4] for out in outs), strict=True))
    # SGD moves by α u; Adam's first step is α in every coordinate whose gradient is not tiny
    u, first = jax.device_get(outs[0][4:])
    for k in u:
        large = np.abs(u[k]) > 1e-4
        expected = rate * (np.sign(u[k]) if optimizer == "adam" else u[k])
        np.testing.assert_allclose(first[k][large], expected[large], rtol=1e-3)
    np.testing.assert_allclose(curve.step_size[:3], sizes[:3], rtol=1e-4)
    # sums in another order may flip a draw sooner or later, so only the first updates are the same to the last digits
    np.testing.assert_allclose(curve.log_probabilities[:3], scored[:3], rtol=1e-4, atol=1e-4)
    exact = 2 * (slopes - curvatures)[1:].sum() / -curvatures[1:].sum()
    assert found.status is Status.measured
    low, high = found.headroom_interval
    assert abs(np.log(found.headroom / exact)) < np.log(high / low)  # twice the half-width of 90 %


def test_windows_of_safe_runs_end_within_the_run():
    raw = yaml.safe_load((ROOT / "tests/networks.yaml").read_text())
    raw["studies"]["networks"]["iteration"] = [10, 21]
    with pytest.raises(ConfigError, match=r"iteration: 21 is not allowed; .* have 20 \(iterations\)"):
        config.parse(raw)


def test_draw_follows_shares():
    logits = jnp.log(jnp.array([[0.25, 0.25, 0.5]] * 4))
    assert draw(jnp.array([0.1, 0.3, 0.6, 0.999]), logits).tolist() == [0, 1, 2, 2]


@pytest.mark.parametrize("threshold", [-37, 0, 3, 55])
def test_half_kept_is_found_from_afar(threshold):
    """A sharp threshold that differs from replicate to replicate: the mean falls through a half at its median."""
    offsets = (-2, 0, 1, 3)
    asked = []

    def success(rung, replicate):
        asked.append((rung, replicate))
        return float(rung < threshold + offsets[replicate])

    found = half_kept.half_kept(success, 0, 4, np.zeros(1, np.uint64))
    assert found.search is Search.found
    assert len(asked) == len(set(asked)) == found.runs < 60
    rung = 16 * np.log10(found.learning_rate)
    assert threshold - 1 <= rung <= threshold + 1
    assert found.low < found.learning_rate < found.high
    assert threshold - 3 <= 16 * np.log10(found.low)
    assert 16 * np.log10(found.high) <= threshold + 3


def test_half_kept_says_when_there_is_none():
    bits = np.zeros(1, np.uint64)
    assert half_kept.half_kept(lambda rung, replicate: 0.0, 0, 2, bits).search is Search.never_converged
    assert half_kept.half_kept(lambda rung, replicate: 1.0, 0, 2, bits).search is Search.always_converged


def test_half_kept_says_so_where_noise_leaves_no_fall_in_sight():
    """One replicate brackets a fall that the mean of all does not have."""

    def success(rung, replicate):
        return float(rung < 5) if replicate == 0 else 1.0

    found = half_kept.half_kept(success, 0, 4, np.zeros(1, np.uint64))
    assert found.search is Search.always_converged
    assert np.isnan([found.learning_rate, found.low, found.high]).all()


@pytest.mark.parametrize("name", ["jax", "optax"])
def test_what_is_missing_is_said_in_a_line(name):
    """The rest of the package is imported without it; the room says what to install."""
    hide = (
        "import importlib.util as u; find = u.find_spec\n"
        f"u.find_spec = lambda n, *a: None if n == {name!r} else find(n, *a)\n"
    )
    script = hide + (
        "import gradgap.training.rules, gradgap.cli, sys\n"
        "assert 'jax' not in sys.modules and 'gradgap.networks' not in sys.modules\n"
        "from gradgap.errors import GradgapError\n"
        "try:\n    import gradgap.networks\n"
        "except GradgapError as error:\n    print(error)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, **_path()},
    )
    assert done.stdout.count("\n") == 1
    assert done.stdout.startswith(f"networks: {name} not installed")
    assert "requirements-networks.lock" in done.stdout


def _path() -> dict[str, str]:
    return {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
