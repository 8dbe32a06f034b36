"""Numbers: elementary functions with the same bits on every machine, and what is built on them."""
