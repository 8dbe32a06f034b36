"""P1: does the cumulative gap alignment govern progress, and is there none where it is not positive?"""

from . import analysis as analysis
