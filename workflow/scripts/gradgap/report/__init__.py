"""The report: the numbers behind figures, figures, captions, tables, the explorer page, and the check of all of them."""
