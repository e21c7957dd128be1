"""Write a job file and a schema from sample files: guess the dialect, measure every column, match the live fields."""
