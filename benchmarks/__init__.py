"""What gradgap costs, in ratios measured side by side: ``make bench``."""
