"""Rewards and log-probabilities from a file: JSON Lines, CSV, Parquet or npz."""

import csv
import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import ConfigError
from . import checks

_LOGP = re.compile(r"logp@(.+)")


@dataclass(frozen=True, eq=False)
class Table:
    """Columns of a file, as `probe` takes them.

    Attributes
    ----------
    rewards : ndarray, shape (n,)
    logps : ndarray, shape (n, steps)
    steps : ndarray, shape (steps,)
    prompts : ndarray, shape (n,), or None
    """

    rewards: np.ndarray
    logps: np.ndarray
    steps: np.ndarray
    prompts: np.ndarray | None


def _json_lines(path: Path) -> dict[str, list]:
    columns: dict[str, list] = {}
    rows = 0
    with path.open(encoding="utf-8") as lines:
        for number, line in enumerate(lines, 1):
            if not line.strip():
                continue
            try:
                row = json.loads(line)
            except ValueError:
                raise ConfigError(f"{path}: line {number} is not JSON") from None
            if not isinstance(row, dict):
                raise ConfigError(
                    f"{path}: line {number} is not an object; allowed: one response a line, such as "
                    f'{{"reward": 1, "logp@0": -12.3, "logp@1": -12.1}}'
                )
            for name, value in row.items():
                columns.setdefault(name, [None] * rows).append(value)
            rows += 1
            for name, values in columns.items():
                if len(values) < rows:
                    raise ConfigError(
                        f"{path}: line {number} has no {name!r}, which the lines before it have"
                    )
    for name, values in columns.items():
        if values[0] is None:
            raise ConfigError(f"{path}: the first line has no {name!r}, which a later line has")
    return columns


def _csv(path: Path) -> dict[str, list]:
    with path.open(encoding="utf-8", newline="") as lines:
        rows = csv.reader(lines)
        header = next(rows, [])
        columns: list[list[str]] = [[] for _ in header]
        for row in rows:
            if not row:
                continue
            if len(row) != len(header):
                raise ConfigError(
                    f"{path}: line {rows.line_num} has {len(row)} values; "
                    f"allowed: {len(header)}, as the header has names"
                )
            for column, value in zip(columns, row, strict=True):
                column.append(value.strip())
    return {name.strip(): column for name, column in zip(header, columns, strict=True)}


def _parquet(path: Path) -> dict[str, Any]:
    import importlib.util

    if not any(importlib.util.find_spec(name) for name in ("pyarrow", "fastparquet")):
        raise ConfigError(
            f"{path}: Parquet needs pyarrow or fastparquet, and neither is installed; "
            f"allowed without: .jsonl, .csv, .npz"
        )
    import pandas

    try:
        frame = pandas.read_parquet(path)
    except Exception as error:  # each engine has errors of its own
        raise ConfigError(f"{path}: not a Parquet file ({error})") from None
    return {str(name): frame[name].to_numpy() for name in frame.columns}


def _npz(path: Path) -> dict[str, Any]:
    import zipfile

    try:
        with np.load(path, allow_pickle=False) as arrays:
            return {name: arrays[name] for name in arrays.files}
    except (ValueError, OSError, zipfile.BadZipFile, AttributeError) as error:
        raise ConfigError(f"{path}: not an npz file of plain arrays ({error})") from None


_READERS = {
    ".jsonl": _json_lines,
    ".ndjson": _json_lines,
    ".json": _json_lines,
    ".csv": _csv,
    ".parquet": _parquet,
    ".npz": _npz,
}


def read(path: str | Path) -> Table:
    """Read rewards and log-probabilities.

    Parameters
    ----------
    path : str or Path
        ``.jsonl`` (one object on each line), ``.csv`` (with a header), ``.parquet`` or ``.npz``, with one row for
        each response. Columns are ``reward``, 0 or 1; ``prompt``, any label, optional; and for each trial step T
        ``logp@T``, the log-probability of the whole response, such as ``logp@0``, ``logp@0.5``, ``logp@1``. Others
        are ignored.

    Returns
    -------
    Table

    Raises
    ------
    ConfigError
        If the file cannot be read, lacks a column, or has columns of unequal lengths.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder, "responses.csv")
    ...     _ = path.write_text("reward,logp@0,logp@1\\n1,-1.5,-1.0\\n0,-1.5,-2.0\\n")
    ...     table = read(path)
    >>> table.rewards.tolist(), table.steps.tolist()
    ([1.0, 0.0], [0.0, 1.0])
    """
    path = Path(path)
    reader = _READERS.get(path.suffix.lower())
    if reader is None:
        raise ConfigError(
            f"{path}: unknown kind {path.suffix or 'of file'!r}; allowed: .jsonl, .csv, .parquet, .npz"
        )
    if not path.is_file():
        raise ConfigError(f"{path}: no such file")
    try:
        columns = reader(path)
    except UnicodeDecodeError:
        raise ConfigError(f"{path}: not text in UTF-8") from None
    if "reward" not in columns:
        raise ConfigError(f"{path}: no column 'reward'; found {', '.join(columns) or 'none'}")
    steps, names = [], []
    for name in columns:
        matched = _LOGP.fullmatch(name)
        if matched:
            try:
                steps.append(float(matched[1]))
            except ValueError:
                raise ConfigError(
                    f"{path}: column {name!r}: {matched[1]!r} is not a number; allowed: a trial step, "
                    f"such as logp@0.5"
                ) from None
            names.append(name)
    if 0.0 not in steps:
        raise ConfigError(
            f"{path}: no column 'logp@0', the log-probability under the policy that drew the responses; found "
            f"{', '.join(columns)}"
        )
    used = ["reward", *(["prompt"] if "prompt" in columns else []), *names]
    lengths = {name: np.size(columns[name]) for name in used}
    if len(set(lengths.values())) > 1:
        shown = ", ".join(f"{name} {length}" for name, length in lengths.items())
        raise ConfigError(
            f"{path}: columns of unequal lengths ({shown}); allowed: one value for each response"
        )
    arrays = {}
    for name in ("reward", *names):
        try:
            arrays[name] = np.asarray(columns[name], dtype=float)
        except (TypeError, ValueError):
            raise ConfigError(f"{path}: column {name!r} holds something that is not a number") from None
    prompts = np.asarray([str(label) for label in columns["prompt"]]) if "prompt" in columns else None
    table = Table(
        arrays["reward"], np.stack([arrays[name] for name in names], axis=1), np.array(steps), prompts
    )
    try:
        checks.batch(table.rewards, table.logps, table.steps, table.prompts)
    except ConfigError as error:
        raise ConfigError(f"{path}: {error}") from None
    return table
