"""Decodes and resizes the common JPEG in one call of compiled code, and encodes the result in another."""
