"""Errors whose message is all the user needs."""


class GradgapError(Exception):
    """An error that the user can correct. The message names the value, what was found, and what is allowed."""


class ConfigError(GradgapError):
    """A value in the configuration, on the command line or in a call is not allowed."""


class ShardError(GradgapError):
    """A shard file is damaged, or does not hold what its name says."""


class MissingPointError(GradgapError):
    """A dataset cannot be made because some of its points have not been computed."""
