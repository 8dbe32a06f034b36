"""What is predicted: bounds, closed forms and exponents. Every formula cites docs/theory.md."""
