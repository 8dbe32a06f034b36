"""Where log messages go."""

import contextlib
import logging
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

from .errors import GradgapError

# Ctrl-C reaches every job. One stops at once and says nothing (Snakemake says it for all of them), also while its
# modules are still being imported, which is why this stands here.
if hasattr(sys.modules["__main__"], "snakemake"):
    signal.signal(signal.SIGINT, signal.SIG_DFL)


@contextlib.contextmanager
def to(path: str | Path) -> Iterator[None]:
    """Inside the block, send log messages to a file. An error that ends it is shown on the screen as well.

    An error that the user can correct ends the program with its message only; other errors keep their traceback.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    handler = logging.FileHandler(path, mode="w", encoding="utf-8")
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    root = logging.getLogger()
    root.addHandler(handler)
    root.setLevel(logging.INFO)
    logging.captureWarnings(True)
    try:
        yield
    except GradgapError as error:
        root.error("%s", error)
        sys.exit(f"gradgap: {error}")
    except Exception:
        root.exception("stopped by an error")
        raise
    finally:
        root.removeHandler(handler)
        handler.close()


def duration(seconds: float) -> str:
    """A time to read.

    >>> duration(3.21), duration(75), duration(4000), duration(2e5)
    ('3.2 s', '1 min 15 s', '1 h 7 min', '2 days 8 h')
    >>> duration(59.7), duration(3599.8), duration(86390)
    ('1 min 0 s', '1 h 0 min', '1 day 0 h')
    """
    if seconds < 59.5:
        return f"{seconds:.2g} s" if seconds < 9.95 else f"{seconds:.0f} s"
    whole = round(seconds)
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    minutes = round(seconds / 60)
    if minutes < 1440:
        return f"{minutes // 60} h {minutes % 60} min"
    hours = round(seconds / 3600)
    return f"{hours // 24} day{'s' if hours >= 48 else ''} {hours % 24} h"
