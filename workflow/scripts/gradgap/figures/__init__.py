"""Figures: one module a study, each with ``draw(panels, scaling, look) -> Figure``.

`panels` and `scaling` are the tables of the study's `Analysis`, read back from CSV; `look` is a `style.Look`.
"""
