"""Runs of one job over cluster shapes: what is asked, what was seen, and what it means."""
