"""Checks of a configuration that no schema can make: names of components, and points that cannot be computed."""

from ..errors import ConfigError
from .axes import AXES
from .grid import StudyConfig, all_values, in_order, measurement_of, sweep_axes

#: Values of one numeric axis for which `check` tries points at the most.
_CHECKED = 16


def _spread(axis: str, values: tuple[str, ...]) -> tuple[str, ...]:
    """The values, or if they are many, both extremes and some values between them."""
    if AXES.find(axis).kind == "label" or len(values) <= _CHECKED:
        return values
    ordered = in_order(axis, values)
    return tuple(ordered[i * (len(ordered) - 1) // (_CHECKED - 1)] for i in range(_CHECKED))


def check(config: StudyConfig) -> None:
    """Check what a schema cannot: names of components, and whether measurements accept their points.

    On a long axis only some values are tried, including both extremes, so that the check is fast on any grid. If a
    point between them cannot be computed, the job that reaches it stops.

    Parameters
    ----------
    config : StudyConfig

    Raises
    ------
    ConfigError
        If a name is unknown or a point cannot be computed.
    """
    for axis, values in config.axes.items():
        for value in values:
            try:
                AXES.find(axis).named(value)
            except ConfigError as error:
                raise ConfigError(f"{axis}: {error}") from None
    for sweep in config.study.sweeps.values():
        tried = measurement_of(sweep).check
        if tried is not None:
            axes = {axis: _spread(axis, values) for axis, values in sweep_axes(config, sweep).items()}
            tried(all_values(axes, sweep.at), config.settings)
