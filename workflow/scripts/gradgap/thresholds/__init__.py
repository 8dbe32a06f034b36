"""Thresholds: searches for the largest step, or learning rate, at which training still succeeds."""
