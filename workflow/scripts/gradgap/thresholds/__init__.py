"""Thresholds: the search for the largest step or learning rate that still converges."""
