"""A real trainer under the probe: TRL's GRPOTrainer, with PyTorch (docs/probe.md).

This subpackage needs PyTorch, transformers and TRL. The rest of the package does not need them, so other modules
import this one only inside the functions that use it. Without them everything else works, and who uses the trainer
gets the message below.
"""

import sys
from importlib.machinery import PathFinder
from importlib.util import LazyLoader, module_from_spec
from pathlib import Path

from ..errors import ConfigError

# the folder of this package also has a script `datasets`, of a workflow rule; it must not hide the library of that
# name
_elsewhere = [place for place in sys.path if Path(place).resolve() != Path(__file__).resolve().parents[2]]
_needed = ("torch", "transformers", "trl", "accelerate", "datasets")
_found = {name: PathFinder.find_spec(name, _elsewhere) for name in _needed}
_missing = [name for name, spec in _found.items() if spec is None]
if _missing:
    raise ConfigError(
        f"trainer: {', '.join(_missing)} not installed; a real trainer needs the extra: pip install --no-deps "
        f"--require-hashes --requirement requirements-trainer.lock, then pip install --requirement "
        f"requirements-torch.txt (or pip install 'gradgap[trainer]')"
    )
_library = _found["datasets"]
if "datasets" not in sys.modules and _library is not None and _library.loader is not None:
    _library.loader = LazyLoader(_library.loader)  # slow to import: only when it is used
    sys.modules["datasets"] = module_from_spec(_library)
    _library.loader.exec_module(sys.modules["datasets"])
