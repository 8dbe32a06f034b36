"""Statistics: fits, crossings, intervals and verdicts from measured numbers."""
