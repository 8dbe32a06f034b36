"""Numbers: elementary functions with the same bits everywhere, binomial probabilities, random streams, the compiler."""
