"""Numbers: elementary functions with the same bits everywhere, binomials, random streams, compiler settings."""
