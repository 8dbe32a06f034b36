"""What can be said from measured numbers: fits, crossings, intervals and verdicts."""
