"""Clusters: made, used, measured, priced and deleted."""
