"""The types of what the API of version 1 takes and answers: one file for each noun."""
