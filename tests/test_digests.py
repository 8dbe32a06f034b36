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


X86 = pytest.mark.skipif(platform.machine() != "x86_64", reason="names a processor of the x86 family")


@X86
@pytest.mark.parametrize("core", ["Prescott", "Haswell"])
def test_another_linear_algebra(core):
    found = elsewhere(OPENBLAS_CORETYPE=core)
    assert not changed(found["digests"])
    if core == "Prescott":  # no machine that runs this has so old a core
        assert found["environment"]["blas"] != environment()["blas"], "the switch did nothing"


@X86
@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="switches glibc's variants of exp and log")
def test_a_c_library_without_fused_operations():
    found = elsewhere(GLIBC_TUNABLES="glibc.cpu.hwcaps=-AVX2,-FMA")
    assert not changed(found["digests"])
    cpu = Path("/proc/cpuinfo").read_text()
    if " fma " in cpu and " avx2 " in cpu:
        assert found["environment"]["libm"] != environment()["libm"], "the switch did nothing"


def test_numpy_without_vector_instructions():
    here = environment()
    found = elsewhere(NPY_DISABLE_CPU_FEATURES=" ".join(here["simd"]))
    assert not changed(found["digests"])
    assert found["environment"]["simd"] == []
    assert all(target.startswith("baseline") for target in found["environment"]["dispatched"])


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
    # the reference of the engine, and of policies that bring no kernels
    "training/plain.py": {"@", "np.linalg"},
    # printed by the command line and read by tests; no dataset holds them
    "theory/optimizers.py": {"math.erf", "math.erfc", "math.exp", "math.expm1", "math.sin", "math.log", "**"},
    "theory/transfer.py": {"**", "math.log", "math.exp"},
    # networks are trained by JAX, whose sums are its own: the descriptions of their variables say so
    "measurements/network_thresholds.py": {"math.log10"},
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
