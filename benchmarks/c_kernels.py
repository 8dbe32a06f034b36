"""The C kernels, compiled for this machine when they are first asked for."""

import ctypes
import functools
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

import numpy as np
from gradgap.bandits import Instance
from gradgap.bandits.shared_prompts import SharedPrompts

SOURCE = Path(__file__).with_name("kernels.c")
FLAGS = ("-O3", "-march=native", "-shared", "-fPIC")


def compiler() -> str | None:
    """The C compiler, ``$CC`` or gcc; None where there is none."""
    return shutil.which(os.environ.get("CC", "gcc"))


@functools.cache
def library() -> ctypes.CDLL:
    """The shared library of kernels.c."""
    found = compiler()
    if found is None:
        raise FileNotFoundError("no C compiler: neither $CC nor gcc")
    with tempfile.TemporaryDirectory() as folder:  # a loaded library outlives its file
        path = Path(folder, "kernels.so")
        subprocess.run([found, *FLAGS, "-o", path, SOURCE, "-lm"], check=True)
        loaded = ctypes.CDLL(str(path))
    for function in (loaded.exact, loaded.sampled, loaded.reused):
        function.restype = ctypes.c_double
    return loaded


def _f(*values: float) -> list[ctypes.c_double]:
    return [ctypes.c_double(value) for value in values]


def _i(*values: float) -> list[ctypes.c_int64]:
    return [ctypes.c_int64(int(value)) for value in values]


def _at(array: np.ndarray) -> ctypes.c_void_p:
    return ctypes.c_void_p(array.ctypes.data)


def exact(instance: Instance, learning_rate: float, iterations: int) -> float:
    """θ after so many expected updates of grpo with token sums."""
    n, half_width, share = instance.kernels.constants
    return library().exact(
        *_f(instance.theta0), *_i(n, half_width), *_f(share, learning_rate), *_i(iterations)
    )


def sampled(
    instance: Instance, learning_rate: float, group_size: int, iterations: int, state: np.ndarray
) -> float:
    """Mean failure rate over the last tenth of a sampled run of grpo with token sums."""
    n, half_width, share = instance.kernels.constants
    workspace = np.empty(2 * group_size + instance.kernels.workspace)
    reward, score, table = np.split(workspace, [group_size, 2 * group_size])
    return library().sampled(
        _at(state),
        *_f(instance.theta0),
        *_i(n, half_width),
        *_f(share, learning_rate),
        *_i(group_size, iterations),
        _at(reward),
        _at(score),
        _at(table),
    )


def reused(
    instance: Instance,
    learning_rate: float,
    group_size: int,
    iterations: int,
    steps: int,
    surrogate: np.ndarray,
    state: np.ndarray,
) -> float:
    """θ of `counting` after so many groups with several steps on each, of grpo with token sums."""
    n, half_width, _ = instance.kernels.constants
    of_token, of_response, power, below, above = surrogate
    workspace = np.empty(2 * group_size + instance.kernels.workspace)
    weight, score, table = np.split(workspace, [group_size, 2 * group_size])
    return library().reused(
        _at(state),
        *_f(instance.theta0),
        *_i(n, half_width),
        *_f(learning_rate),
        *_i(group_size, iterations, steps),
        *_f(of_token, of_response / n**power, 1 - below, 1 + above),
        _at(weight),
        _at(score),
        _at(table),
    )


def contextual(
    instance: SharedPrompts, learning_rate: float, group_size: int, iterations: int, state: np.ndarray
) -> np.ndarray:
    """θ after so many sampled updates of grpo with token sums."""
    shape = instance.differences.shape
    theta = instance.start.copy()
    paths = np.empty((2, iterations + 1, shape[0]))
    library().contextual(
        _at(state),
        _at(theta),
        _at(instance.differences),
        *_i(instance.visits, *shape),
        *_f(learning_rate),
        *_i(group_size, iterations),
        _at(paths[0]),
        _at(paths[1]),
    )
    return theta
