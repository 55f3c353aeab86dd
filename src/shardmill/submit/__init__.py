"""What to hand to spark-submit: `spark-submit "$(python -m shardmill.submit)" prepare SOURCE DEST --engine spark`."""

from __future__ import annotations

from pathlib import Path


def app_path() -> Path:
    """The script that spark-submit takes as its application; its arguments are those of `shardmill`.

    It stands in a folder of its own because spark-submit puts the script's folder in front of the import path.
    """
    return Path(__file__).with_name("app.py")
