"""P3 and P5: does the critical learning rate fall as 1/T, and does length normalisation remove that?"""

from . import analysis as analysis
