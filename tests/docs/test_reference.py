from __future__ import annotations

import runpy

from tests.docs.pages import REPOSITORY


def test_the_reference_says_what_the_code_says() -> None:
    builder = runpy.run_path(str(REPOSITORY / "docs" / "build_reference.py"), run_name="builder")
    assert builder["stale"]() == [], "run: python docs/build_reference.py"
