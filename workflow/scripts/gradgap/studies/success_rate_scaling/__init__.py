"""P4: does the critical step fall as (1−J), and where is that law tight?"""

from . import analysis as analysis
