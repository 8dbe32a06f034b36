"""The report: figures and their numbers, captions, tables, the explorer page, and the check of them all."""
