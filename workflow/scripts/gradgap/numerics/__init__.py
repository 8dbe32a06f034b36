"""Numbers: compiler settings, binomial probabilities, random streams and what is drawn from them."""
