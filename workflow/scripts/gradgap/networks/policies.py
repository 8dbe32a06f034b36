"""Autoregressive networks: a recurrent one, and a one-layer transformer with as many parameters.

For each token both see the token before it and, if the task has a prompt, the symbol at the same place of the prompt.
From these they compute the logits of the token. Parameters are a dict of arrays, which JAX can differentiate and
optax can update.
"""

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass

import jax
import jax.numpy as jnp

from ..errors import ConfigError

Parameters = dict[str, jax.Array]


def draw(uniform: jax.Array, logits: jax.Array) -> jax.Array:
    """Draw tokens from their probabilities, by a uniform random number for each.

    The probabilities divide [0, 1) into parts. The token is the one whose part contains the number.

    Parameters
    ----------
    uniform : Array, shape (n,)
        From [0, 1).
    logits : Array, shape (n, V)

    Returns
    -------
    Array of int32, shape (n,)

    Examples
    --------
    Two tokens, equally likely:

    >>> draw(jnp.array([0.1, 0.6]), jnp.zeros((2, 2))).tolist()
    [0, 1]
    """
    below = jnp.cumsum(jax.nn.softmax(logits, axis=-1), axis=-1)[:, :-1]
    return (uniform[:, None] >= below).sum(axis=-1).astype(jnp.int32)


def _chosen(logits: jax.Array, tokens: jax.Array) -> jax.Array:
    """Log-probability of the chosen token, over the last axis of `logits`."""
    return jnp.take_along_axis(jax.nn.log_softmax(logits, axis=-1), tokens[..., None], axis=-1)[..., 0]


def _before(tokens: jax.Array, vocabulary: int) -> jax.Array:
    """The token before each token. Before the first one it is a start symbol, number `vocabulary`."""
    return jnp.concatenate([jnp.full_like(tokens[:, :1], vocabulary), tokens[:, :-1]], axis=1)


@dataclass(frozen=True)
class Network(ABC):
    """An autoregressive policy over responses of a fixed number of tokens.

    Attributes
    ----------
    vocabulary : int
        Number V of tokens.
    symbols : int
        Number of different symbols in prompts; 0 if the task has no prompt.
    width : int
        How many numbers the hidden state has.
    """

    vocabulary: int
    symbols: int
    width: int

    @abstractmethod
    def initial(self, key: jax.Array, dtype=jnp.float32) -> Parameters:
        """Draw random parameters, with a bias of the output of zero.

        Parameters
        ----------
        key : Array
            Key of the random stream.
        dtype
            Type of the parameters.

        Returns
        -------
        dict of Array
        """

    @abstractmethod
    def sample(self, parameters: Parameters, uniforms: jax.Array, prompts: jax.Array) -> jax.Array:
        """Draw responses.

        Parameters
        ----------
        parameters : dict of Array
        uniforms : Array, shape (n, T)
            Random numbers from [0, 1), one for each token. All randomness of the responses is in them.
        prompts : Array of int, shape (n, T) or (n, 0)

        Returns
        -------
        Array of int32, shape (n, T)
        """

    @abstractmethod
    def token_log_probabilities(
        self, parameters: Parameters, prompts: jax.Array, tokens: jax.Array
    ) -> jax.Array:
        """Log-probability of each token of given responses.

        Parameters
        ----------
        parameters : dict of Array
        prompts : Array of int, shape (n, T) or (n, 0)
        tokens : Array of int, shape (n, T)

        Returns
        -------
        Array, shape (n, T)
        """

    def log_probabilities(self, parameters: Parameters, prompts: jax.Array, tokens: jax.Array) -> jax.Array:
        """Log-probability log π_θ(o) of given responses, shape (n,). Its gradient in θ is the score."""
        return self.token_log_probabilities(parameters, prompts, tokens).sum(axis=1)

    @property
    def size(self) -> int:
        """Number of parameters d."""
        shapes = jax.eval_shape(self.initial, jax.random.key(0))
        return sum(math.prod(array.shape) for array in shapes.values())


class Recurrent(Network):
    """A gated recurrent unit (Cho et al., arXiv:1406.1078): h' = (1−z)∘n + z∘h.

    Examples
    --------
    >>> Recurrent(vocabulary=2, symbols=0, width=16).size
    994
    """

    def initial(self, key, dtype=jnp.float32):
        keys = jax.random.split(key, 4)
        w, scale = self.width, 1 / math.sqrt(self.width)
        parameters = {
            "token": jax.random.normal(keys[0], (self.vocabulary + 1, 3 * w), dtype),
            "state": jax.random.normal(keys[1], (w, 3 * w), dtype) * scale,
            "gate": jnp.zeros(3 * w, dtype),
            "output": jax.random.normal(keys[2], (w, self.vocabulary), dtype) * scale,
            "bias": jnp.zeros(self.vocabulary, dtype),
        }
        if self.symbols:
            parameters["prompt"] = jax.random.normal(keys[3], (self.symbols, 3 * w), dtype)
        return parameters

    def _prompted(self, parameters, prompts, length):
        """What prompt and bias add to the gates; the first axis is the token."""
        gate = parameters["gate"]
        if not self.symbols:
            return jnp.broadcast_to(gate, (length, 1, gate.shape[0]))
        return jnp.moveaxis(parameters["prompt"][prompts], 1, 0) + gate

    def _step(self, parameters, state, gates):
        w = self.width
        own = state @ parameters["state"]
        keep, reset = jnp.split(jax.nn.sigmoid(gates[:, : 2 * w] + own[:, : 2 * w]), 2, axis=1)
        new = jnp.tanh(gates[:, 2 * w :] + reset * own[:, 2 * w :])
        return new + keep * (state - new)

    def _start(self, parameters, count):
        return jnp.zeros((count, self.width), parameters["state"].dtype)

    def sample(self, parameters, uniforms, prompts):
        count, length = uniforms.shape

        def step(carry, now):
            state, token = carry
            uniform, prompted = now
            state = self._step(parameters, state, parameters["token"][token] + prompted)
            token = draw(uniform, state @ parameters["output"] + parameters["bias"])
            return (state, token), token

        first = jnp.full(count, self.vocabulary, jnp.int32)
        prompted = self._prompted(parameters, prompts, length)
        start = (self._start(parameters, count), first)
        return jax.lax.scan(step, start, (uniforms.T, prompted))[1].T

    def token_log_probabilities(self, parameters, prompts, tokens):
        count, length = tokens.shape
        gates = parameters["token"][_before(tokens, self.vocabulary).T]
        gates = gates + self._prompted(parameters, prompts, length)

        def step(state, now):
            state = self._step(parameters, state, now)
            return state, state

        states = jax.lax.scan(step, self._start(parameters, count), gates)[1]
        return _chosen(states @ parameters["output"] + parameters["bias"], tokens.T).T


class Transformer(Network):
    """One pre-norm layer with one causal attention head, and a hidden layer as wide as the state.

    The place of a token is encoded by fixed sines and cosines (Vaswani et al., arXiv:1706.03762, section 3.5). So the
    number of parameters does not depend on the length.

    Examples
    --------
    >>> Transformer(vocabulary=2, symbols=0, width=12).size
    938
    """

    def initial(self, key, dtype=jnp.float32):
        keys = jax.random.split(key, 8)
        w, scale = self.width, 1 / math.sqrt(self.width)

        def matrix(key, columns):
            return jax.random.normal(key, (w, columns), dtype) * scale

        parameters = {
            "token": jax.random.normal(keys[0], (self.vocabulary + 1, w), dtype),
            "query": matrix(keys[1], w),
            "key": matrix(keys[2], w),
            "value": matrix(keys[3], w),
            "attention": matrix(keys[4], w),
            "hidden": matrix(keys[5], w),
            "hidden_bias": jnp.zeros(w, dtype),
            "hidden_output": matrix(keys[6], w),
            "output": matrix(keys[7], self.vocabulary),
            "bias": jnp.zeros(self.vocabulary, dtype),
        }
        if self.symbols:
            prompt_key = jax.random.fold_in(key, 1)
            parameters["prompt"] = jax.random.normal(prompt_key, (self.symbols, w), dtype)
        return parameters

    @staticmethod
    def _norm(x):
        centred = x - x.mean(axis=-1, keepdims=True)
        return centred / jnp.sqrt((centred**2).mean(axis=-1, keepdims=True) + 1e-5)

    def _places(self, length, dtype):
        place = jnp.arange(length, dtype=dtype)[:, None]
        rate = jnp.exp(-math.log(1e4) * jnp.arange(self.width // 2, dtype=dtype) / (self.width // 2))
        return jnp.concatenate([jnp.sin(place * rate), jnp.cos(place * rate)], axis=1)

    def _prompted(self, parameters, prompts, length):
        """What prompt and place add to a token's features, shape (n or 1, T, w)."""
        places = self._places(length, parameters["token"].dtype)[None]
        return places + parameters["prompt"][prompts] if self.symbols else places

    def _after(self, parameters, x, attended):
        """Logits from features and from what the head attended to."""
        x = x + attended @ parameters["attention"]
        hidden = jax.nn.gelu(self._norm(x) @ parameters["hidden"] + parameters["hidden_bias"])
        x = x + hidden @ parameters["hidden_output"]
        return self._norm(x) @ parameters["output"] + parameters["bias"]

    def sample(self, parameters, uniforms, prompts):
        count, length = uniforms.shape
        w = self.width
        prompted = jnp.moveaxis(self._prompted(parameters, prompts, length), 1, 0)
        projection = jnp.concatenate([parameters[name] for name in ("query", "key", "value")], axis=1)

        def step(carry, now):
            token, keys, values = carry
            index, uniform, added = now
            x = parameters["token"][token] + added
            query, key, value = jnp.split(self._norm(x) @ projection, 3, axis=1)
            here = (jnp.arange(length) == index)[:, None]
            keys = jnp.where(here, key[:, None], keys)
            values = jnp.where(here, value[:, None], values)
            score = jnp.einsum("nw,ntw->nt", query, keys) / math.sqrt(w)
            score = jnp.where(jnp.arange(length) <= index, score, -jnp.inf)
            attended = jnp.einsum("nt,ntw->nw", jax.nn.softmax(score, axis=1), values)
            token = draw(uniform, self._after(parameters, x, attended))
            return (token, keys, values), token

        empty = jnp.zeros((count, length, w), parameters["token"].dtype)
        start = (jnp.full(count, self.vocabulary, jnp.int32), empty, empty)
        return jax.lax.scan(step, start, (jnp.arange(length), uniforms.T, prompted))[1].T

    def token_log_probabilities(self, parameters, prompts, tokens):
        length = tokens.shape[1]
        x = parameters["token"][_before(tokens, self.vocabulary)]
        x = x + self._prompted(parameters, prompts, length)
        normed = self._norm(x)
        query, key, value = (normed @ parameters[name] for name in ("query", "key", "value"))
        score = jnp.einsum("nsw,ntw->nst", query, key) / math.sqrt(self.width)
        score = jnp.where(jnp.tril(jnp.ones((length, length), bool)), score, -jnp.inf)
        attended = jnp.einsum("nst,ntw->nsw", jax.nn.softmax(score, axis=-1), value)
        return _chosen(self._after(parameters, x, attended), tokens)


#: Kinds of network by name.
KINDS: dict[str, type[Network]] = {"recurrent": Recurrent, "transformer": Transformer}


def network(kind: str, vocabulary: int, symbols: int, width: int) -> Network:
    """A network of some kind that is as large as the recurrent network of a given width.

    Parameters
    ----------
    kind : {"recurrent", "transformer"}
    vocabulary, symbols : int
        As in `Network`.
    width : int
        Width of the recurrent network. Another kind gets the even width with which its number of parameters is
        closest to that of the recurrent network.

    Returns
    -------
    Network

    Raises
    ------
    ConfigError
        If there is no such kind, or the width is below 2.

    Examples
    --------
    >>> network("transformer", 2, 0, 16).width, network("transformer", 4, 4, 24).width
    (12, 20)
    """
    if kind not in KINDS:
        raise ConfigError(f"network: {kind!r} is not known; allowed: {', '.join(KINDS)}")
    if width < 2:
        raise ConfigError(f"width: {width} is not allowed; it must be 2 or more")
    recurrent = Recurrent(vocabulary, symbols, width)
    if kind == "recurrent":
        return recurrent
    other = KINDS[kind]
    widths = range(2, 2 * width + 1, 2)
    return min(
        (other(vocabulary, symbols, w) for w in widths), key=lambda made: abs(made.size - recurrent.size)
    )
