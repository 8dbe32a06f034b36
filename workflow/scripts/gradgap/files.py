"""Write files so that they appear whole or not at all."""

import contextlib
import os
import signal
import threading
from collections.abc import Iterator
from pathlib import Path


@contextlib.contextmanager
def replacing(path: str | Path) -> Iterator[Path]:
    """Give a temporary name beside `path`, and rename it to `path` when the block ends without an error.

    The ending stays, for libraries that choose a format by it. On an error, or where SIGINT stops the process, the
    temporary file is removed and whatever stood at `path` stays.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.stem}.{os.getpid()}.tmp{path.suffix}")
    # a job stops at SIGINT without running what stands under `finally` (see `logs`)
    at_once = (
        threading.current_thread() is threading.main_thread()
        and signal.getsignal(signal.SIGINT) is signal.SIG_DFL
    )

    def stop(signum: int, frame: object) -> None:
        temporary.unlink(missing_ok=True)
        os._exit(128 + signum)

    if at_once:
        signal.signal(signal.SIGINT, stop)
    try:
        yield temporary
        with temporary.open("rb") as file:
            os.fsync(file.fileno())
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
        if at_once:
            signal.signal(signal.SIGINT, signal.SIG_DFL)


def write_text(path: str | Path, text: str) -> None:
    """Write a text file in one piece."""
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8")
