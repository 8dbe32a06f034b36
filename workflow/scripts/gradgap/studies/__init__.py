"""Studies: one folder a question, with its declaration, analysis, figure and caption."""
