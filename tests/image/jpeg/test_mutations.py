from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[3]
SEED, COUNT = 20, 4000


@pytest.mark.oldest
def test_damage_is_noticed_or_harmless() -> None:
    """What the codec takes, libjpeg-turbo takes without a warning; and no damage ends the process."""
    command = [sys.executable, "-m", "tests.image.jpeg.mutations", str(SEED), str(COUNT)]
    ran = subprocess.run(command, check=False, cwd=REPOSITORY, capture_output=True, text=True, timeout=300)
    last = ran.stdout.split()[-1:]
    assert ran.returncode == 0, f"ended by {ran.returncode} at case {last} of seed {SEED}: {ran.stderr}"
    assert last == [str(COUNT - 1)]
