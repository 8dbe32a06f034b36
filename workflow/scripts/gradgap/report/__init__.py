"""The report: panels, figures, captions, tables, the explorer page, and the check of all of them."""
