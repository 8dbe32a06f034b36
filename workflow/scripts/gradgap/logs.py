"""Where messages go."""

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
    """Send messages of the block to a file, and what stops it to the screen as well.

    An error that the user can mend ends the program with its message alone; of any other the trace is kept.
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
