"""Prints the path of the script for spark-submit."""

from shardmill.submit import app_path

print(app_path())
