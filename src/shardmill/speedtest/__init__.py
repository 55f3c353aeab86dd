"""Measures how fast data sets are read; keeps a row for every timed pass and makes no averages."""
