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
