"""Writes docs/reference/ from the code, so that the pages and the code cannot differ."""
