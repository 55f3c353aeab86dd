"""Plots as SVG: points with medians, lines and bands; bars with intervals; timelines. Drawn once a width, without a library."""
