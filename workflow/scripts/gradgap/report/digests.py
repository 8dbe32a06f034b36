"""Digests of the files that each stage wrote and read, by which damaged or foreign files are found.

Each job of a stage writes a record, ``results/digests/STAGE/NAME.json``. It holds the digest of every file that the
job wrote, of every file in the results folder that it read, and of the record itself.
"""

import hashlib
import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ..errors import GradgapError
from ..files import write_text

FOLDER = "digests"


class DigestError(GradgapError):
    """A record of digests is missing, damaged, or does not match."""


def digest(content: bytes) -> str:
    """Digest of some bytes, as 32 hexadecimal digits.

    >>> digest(b"")
    'cae66941d9efbd404e4d88758ea67670'
    """
    return hashlib.blake2b(content, digest_size=16).hexdigest()


def digest_of(path: str | Path) -> str:
    """Digest of a file, which is read a piece at a time."""
    with Path(path).open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.blake2b(digest_size=16)).hexdigest()


@dataclass(frozen=True)
class Record:
    """The files that one job wrote and read: their digests by path below the results folder.

    Attributes
    ----------
    outputs, inputs : dict of str to str
    """

    outputs: dict[str, str]
    inputs: dict[str, str]


def _text(outputs: Mapping[str, str], inputs: Mapping[str, str]) -> str:
    body = {"outputs": dict(sorted(outputs.items())), "inputs": dict(sorted(inputs.items()))}
    own = digest(json.dumps(body).encode())
    return json.dumps({**body, "digest": own}, indent=1) + "\n"


def write(path: str | Path, outputs: Iterable[str | Path], inputs: Iterable[str | Path]) -> None:
    """Write the record of a job.

    Parameters
    ----------
    path : path
        ``results/digests/STAGE/NAME.json``; the results folder is the one that holds ``digests``.
    outputs, inputs : iterable of path
        Files of the job. Inputs outside the results folder are left out.
    """
    results = Path(path).resolve().parents[2]

    def digests(files: Iterable[str | Path]) -> dict[str, str]:
        found = {}
        for file in files:
            whole = Path(file).resolve()
            if whole.is_relative_to(results):
                found[whole.relative_to(results).as_posix()] = digest_of(whole)
        return found

    write_text(path, _text(digests(outputs), digests(inputs)))


def main(arguments: Sequence[str]) -> None:
    """``python -m gradgap.report.digests RECORD FILE…``: record files that no job of the workflow writes."""
    write(arguments[0], arguments[1:], [])


def read(path: str | Path) -> Record:
    """Read a record.

    Raises
    ------
    DigestError
        If it is missing, or differs from what was written.
    """
    try:
        content = Path(path).read_bytes().decode("utf-8")
        found = json.loads(content)
        record = Record(found["outputs"], found["inputs"])
        whole = content == _text(record.outputs, record.inputs)
    except FileNotFoundError:
        raise DigestError(f"{path}: missing") from None
    except (ValueError, KeyError, TypeError, AttributeError):
        whole = False
    if not whole:
        raise DigestError(f"{path}: damaged (no record of digests as it was written)")
    return record


if __name__ == "__main__":
    main(sys.argv[1:])
