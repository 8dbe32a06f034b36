"""Digests of every variable of the smoke study: ``python tests/digests.py [FILE]`` writes them, or prints them."""

import hashlib
import json
import math
import sys
from pathlib import Path

import numpy as np
from gradgap.sweep import compute, config, grid

SMOKE = Path(__file__).parent / "smoke.yaml"
FILE = Path(__file__).parent / "digests.json"


def digest(parts: list[np.ndarray]) -> str:
    """Of type, shape and bytes of the parts of a variable; every nan is the same one, and bytes are little-endian."""
    found = hashlib.blake2b(digest_size=16)
    for part in parts:
        if part.dtype.kind == "f":
            part = np.where(np.isnan(part), np.nan, part)
        part = np.ascontiguousarray(part).astype(part.dtype.newbyteorder("<"))
        found.update(f"{part.dtype.str} {part.shape}\n".encode())
        found.update(part.tobytes())
    return found.hexdigest()


def digests() -> dict[str, str]:
    """Study, sweep and variable → digest, of all that the smoke configuration computes."""
    found: dict[str, str] = {}
    for study in config.load(SMOKE).studies.values():
        parts: dict[str, list[np.ndarray]] = {}
        for block in grid.blocks(study, 10**9):
            for name, values in compute.compute_block(block).items():
                parts.setdefault(f"{block.study}/{block.sweep}/{name}", []).append(values)
        found |= {name: digest(values) for name, values in parts.items()}
    return found


def environment() -> dict:
    """What of this process an environment variable may have changed: the C library's functions, NumPy's, BLAS's."""
    x = np.linspace(-20, 20, 4001)
    return {
        "libm": digest([np.array([math.exp(value) for value in x.tolist()])]),
        "simd": sorted(np.show_config(mode="dicts")["SIMD Extensions"].get("found", [])),
        "dispatched": sorted(
            {of["current"] for types in np.lib.introspect.opt_func_info().values() for of in types.values()}
        ),
        "blas": digest(
            [
                np.sin(x[:2000]) @ np.cos(x[2000:4000]) * np.ones(1),
                np.outer(x, x)[:97, :97] @ np.sin(np.outer(x, x)[:97, :97]),
            ]
        ),
    }


if __name__ == "__main__":
    if len(sys.argv) > 1:
        Path(sys.argv[1]).write_text(json.dumps(digests(), indent=1) + "\n", encoding="utf-8")
    else:
        json.dump({"environment": environment(), "digests": digests()}, sys.stdout)
