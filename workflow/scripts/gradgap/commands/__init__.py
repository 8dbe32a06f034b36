"""Commands of the command line: one module each, found by its name.

A command module has ``HELP`` (a line), ``add_arguments(parser)`` and ``main(arguments) -> dict``. What it returns
is printed, as text or with ``--json`` as JSON; an optional ``show(result) -> str`` says how as text. Modules
import what is heavy inside ``main``, so that ``gradgap --help`` is quick.
"""
