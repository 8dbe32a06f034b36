"""P6: with a fixed step the success rate stops below 100 %; where exactly, and what removes it?"""

from . import analysis as analysis
