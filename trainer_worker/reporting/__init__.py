"""Makes report.html: one file that tells a person how good a model is, what is wrong, and what to do next."""
