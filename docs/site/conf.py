"""How Sphinx makes the site; build.py puts the pages together and calls it."""

from pathlib import Path

import gradgap

project = "gradgap"
author = copyright = "The gradgap contributors"
version = release = gradgap.__version__
extensions = ["myst_nb", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "sphinx-mathjax-offline"]
myst_enable_extensions = ["dollarmath"]
myst_heading_anchors = 3
myst_dmath_double_inline = True
# a link to a folder of the project has no page here; build.py has taken it away, and names what it leaves
suppress_warnings = ["myst.xref_missing", "myst.header", "misc.highlighting_failure", "ref.python"]
nb_execution_mode = "cache"
nb_execution_cache_path = str(
    Path(__file__).parent / "../notebooks"
)  # .cache/notebooks: build.py copies this file
nb_execution_timeout = 600
nb_execution_raise_on_error = True
autodoc_member_order = "bysource"
autodoc_typehints = "none"
napoleon_numpy_docstring = True
napoleon_use_ivar = True
html_theme = "furo"
html_title = f"gradgap {version}"
html_show_sphinx = False
html_copy_source = False
# nothing is asked of the internet
html_theme_options = {"navigation_with_keys": True}


def _literal(app, what, name, obj, options, lines):
    """Marks of reStructuredText that a docstring means as they are: |x| and a name that ends in an underscore."""
    import re

    for i, line in enumerate(lines):
        if not line.lstrip().startswith((">>>", "..")):
            lines[i] = re.sub(r"(?<!\\)\|", r"\\|", re.sub(r"(\w)_(?![\w`])", r"\1\\_", line))


def setup(app):
    """Called by Sphinx."""
    app.connect("autodoc-process-docstring", _literal, priority=900)
