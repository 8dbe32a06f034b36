"""Every bound on the step held against exact critical steps: is it ever wrong, and how loose is it?"""

from . import analysis as analysis
