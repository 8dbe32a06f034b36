"""The same bits on every machine: every variable of the smoke study against the committed digests.

Processors are stood in for by the switches that make libraries behave as on others; each is checked to be on.
"""

import ast
import json
import os
import platform
import subprocess
import sys
from pathlib import Path

import gradgap
import numpy as np
import pytest
from digests import FILE, digest, digests, environment

EXPECTED = json.loads(FILE.read_text(encoding="utf-8"))
PACKAGE = Path(gradgap.__file__).parent
#: Remade by `make digests`, on purpose: where a change of the code is meant to change numbers.
REMEDY = "run `make digests` if the numbers were meant to change"


def elsewhere(**variables: str) -> dict:
    """Digests of a process of its own with these environment variables, and what they changed."""
    done = subprocess.run(
        [sys.executable, Path(__file__).parent / "digests.py"],
        env={**os.environ, "PYTHONPATH": str(PACKAGE.parent), **variables},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def changed(found: dict) -> list[str]:
    return [name for name in EXPECTED if found.get(name) != EXPECTED[name]]


def test_this_machine():
    found = digests()
    assert sorted(found) == sorted(EXPECTED), REMEDY
    assert not changed(found), REMEDY


X86 = platform.machine() == "x86_64"
GLIBC = platform.libc_ver()[0] == "glibc"


def test_an_old_processor():
    """No vector instructions in NumPy, no fused ones in the C library, and kernels of linear algebra for an old core.

    All in one process: what depends on any of them would change.
    """
    here = environment()
    switches = {"NPY_DISABLE_CPU_FEATURES": " ".join(here["simd"])}
    if X86:  # names a processor of the x86 family
        switches["OPENBLAS_CORETYPE"] = "Prescott"
    if X86 and GLIBC:
        switches["GLIBC_TUNABLES"] = "glibc.cpu.hwcaps=-AVX2,-FMA"
    found = elsewhere(**switches)
    assert not changed(found["digests"])
    there = found["environment"]
    assert there["simd"] == []
    assert all(target.startswith("baseline") for target in there["dispatched"])
    if X86:  # no machine that runs this has so old a core
        assert there["blas"] != here["blas"], "the switch did nothing"
    cpu = Path("/proc/cpuinfo").read_text() if X86 and GLIBC else ""
    if " fma " in cpu and " avx2 " in cpu:
        assert there["libm"] != here["libm"], "the switch did nothing"


@pytest.mark.skipif(not X86, reason="names a processor of the x86 family")
def test_another_linear_algebra():
    assert not changed(elsewhere(OPENBLAS_CORETYPE="Haswell")["digests"])


@pytest.mark.bits
def test_kernels_compiled_for_no_processor_in_particular():
    assert not changed(elsewhere(NUMBA_CPU_NAME="generic")["digests"])


def test_a_digest_sees_one_bit_the_shape_and_the_type_but_no_sign_of_nan():
    x = np.array([[1.0, np.nan], [3.0, 4.0]])
    assert digest([x]) == digest([x.copy()]) == digest([np.asfortranarray(x)])
    assert digest([x]) == digest([np.where(np.isnan(x), -np.nan, x)])
    for other in (np.nextafter(x, 9), x.reshape(4), x.T, x.astype(np.float32), np.stack([x, x])):
        assert digest([other]) != digest([x])
    assert digest([np.array([0.0])]) != digest([np.array([-0.0])])


#: Rooms whose numbers reach a dataset.
ROOMS = ("numerics", "bandits", "training", "thresholds", "theory", "measurements")


def _names(text: str) -> list[str]:
    return text.split()


#: What a C library, linear algebra library or SciPy would compute; sqrt, fmod and floor are exact by definition.
HOST = {
    "math": {
        *[
            "exp",
            "exp2",
            "expm1",
            "log",
            "log1p",
            "log2",
            "log10",
            "pow",
            "sin",
            "cos",
            "tan",
            "asin",
            "acos",
            "atan",
            "atan2",
            "sinh",
            "cosh",
            "tanh",
            "asinh",
            "acosh",
            "atanh",
            "erf",
            "erfc",
            "gamma",
            "lgamma",
            "hypot",
            "dist",
            "cbrt",
            "fma",
            "sumprod",
        ]
    },
    "np": {
        *[
            "exp",
            "exp2",
            "expm1",
            "log",
            "log1p",
            "log2",
            "log10",
            "power",
            "float_power",
            "sin",
            "cos",
            "tan",
            "arctan",
            "arctanh",
            "tanh",
            "sinh",
            "cosh",
            "hypot",
            "dot",
            "vdot",
            "inner",
            "outer",
            "matmul",
            "einsum",
            "tensordot",
            "linalg",
            "fft",
            "polyfit",
            "geomspace",
            "logspace",
            "logaddexp",
            "cbrt",
            "var",
            "std",
            "cov",
            "corrcoef",
        ]
    },
    "generator": {"standard_normal", "normal", "exponential", "gamma", "beta", "binomial", "poisson"},
}
EXEMPT = {
    # SciPy's Powell is Python and NumPy's + − × ÷, nothing else
    "measurements/bound_attack.py": {"scipy.optimize"},
    # the checks for authors and the bounds of a step, which no dataset holds
    "training/optimizers.py": {"@", "**"},
    "training/rules.py": {"**"},
    # what theory predicts of a ratio
    "training/ratios.py": {"**"},
    # the reference of the engine, and of policies that bring no kernels
    "training/plain.py": {"@", "np.linalg"},
    # printed by the command line and read by tests; no dataset holds them
    "theory/optimizers.py": {"math.erf", "math.erfc", "math.exp", "math.expm1", "math.sin", "math.log", "**"},
    "theory/transfer.py": {"**", "math.log", "math.exp"},
    # networks are trained by JAX, whose sums are its own: the descriptions of their variables say so
    "measurements/network_thresholds.py": {"math.log10"},
    "measurements/network_forecasts.py": {"**"},
    # learning rates of PyTorch's runs, rounded to six digits
    "thresholds/brackets.py": {"**", "math.log2"},
    # the probe runs where its user's libraries are; what the study keeps of it is rounded to six digits
    # (einsum without optimisation sums in a fixed order, and calls no linear algebra library)
    "bandits/responses.py": {"np.einsum"},
    "bandits/shared_prompts.py": {"np.einsum"},
    "measurements/headroom.py": {"np.exp", "np.einsum", "@", "**", "np.std", "np.log"},
}


def _of_the_host(path: Path):
    """Every use in a file of what depends on the host: line and name."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            if node.attr in HOST.get(node.value.id, ()):
                yield node.lineno, f"{node.value.id}.{node.attr}"
        elif isinstance(node, ast.BinOp) and isinstance(node.op, ast.MatMult):
            yield node.lineno, "@"
        elif isinstance(node, ast.BinOp) and isinstance(node.op, ast.Pow):
            if not all(
                isinstance(side, ast.Constant) and isinstance(side.value, int)
                for side in (node.left, node.right)
            ):
                yield node.lineno, "**"
        elif isinstance(node, ast.Import | ast.ImportFrom):
            names = [node.module or ""] if isinstance(node, ast.ImportFrom) else [a.name for a in node.names]
            for name in names:
                if name.startswith(("scipy", "jax", "torch")):
                    yield node.lineno, name


@pytest.mark.parametrize("room", ROOMS)
def test_nothing_that_depends_on_the_host_is_used(room):
    found = []
    for path in sorted((PACKAGE / room).rglob("*.py")):
        here = path.relative_to(PACKAGE).as_posix()
        found += [
            f"{here}:{line}: {name}" for line, name in _of_the_host(path) if name not in EXEMPT.get(here, ())
        ]
    assert not found
