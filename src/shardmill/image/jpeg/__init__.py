"""Decodes and resizes the common JPEG in one call of compiled code."""
