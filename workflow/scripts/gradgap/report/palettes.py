"""seaborn, imported without SciPy.

Importing SciPy takes as long as all else that a figure imports. seaborn uses it for clustered heat maps, and for
density estimates, for which it has code of its own where SciPy is not installed. Styles and palettes need neither. A
figure can still import SciPy itself.
"""

import sys

_HIDDEN = "scipy" not in sys.modules
if _HIDDEN:
    sys.modules["scipy"] = None  # type: ignore[assignment]  # an import of it now says that it is not there
try:
    import seaborn
finally:
    if _HIDDEN:
        del sys.modules["scipy"]

__all__ = ["seaborn"]
