"""Training: update rules, the loop that applies them, and what became of a run."""
