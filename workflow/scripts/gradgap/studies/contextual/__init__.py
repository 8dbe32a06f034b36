"""P2, P3, P5–P7 where prompts share parameters: success and prompts lost against the learning rate."""

from . import analysis as analysis
