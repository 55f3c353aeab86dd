"""What a search keeps in its run folder: every paid trial, so that a search that was killed goes on where it was."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from shardmill.errors import UsageError
from shardmill.operations.pick.result import PickResult
from shardmill.report.sections.pick import PICTURE_FILE, RESULT_FILE, picture
from shardmill.runs import begin_run
from shardmill.search.base import Trial
from shardmill.search.loop import Paid

TRIALS_FILE: Final = "trials.json"


@dataclass(frozen=True, slots=True)
class SearchState:
    """The trials of a run folder; without a folder, nothing is kept."""

    folder: Path | None
    paid: tuple[Paid, ...]
    """By earlier attempts at the same search."""

    @classmethod
    def begin(cls, out: str | None, request: Mapping[str, Any]) -> SearchState:
        """Make the run folder, or take up the search that is in it.

        Raises:
            UsageError: it holds something else, or cannot be written or read.
        """
        if out is None:
            return cls(None, ())
        folder = begin_run(out, "pick", request).path
        try:
            kept = json.loads((folder / TRIALS_FILE).read_bytes())
            return cls(folder, tuple(Paid(Trial(**one["trial"]), float(one["paid_usd"])) for one in kept))
        except FileNotFoundError:
            return cls(folder, ())
        except (OSError, ValueError, TypeError, KeyError) as error:
            raise UsageError(f"{folder / TRIALS_FILE} cannot be read ({error}); name another folder.") from error

    def keep(self, trials: Sequence[Paid]) -> None:
        """Write down `trials`, whole or not at all."""
        if self.folder is not None:
            _write(self.folder / TRIALS_FILE, json.dumps([asdict(paid) for paid in trials], indent=1))

    def finish(self, result: PickResult) -> None:
        """Write the result and its picture."""
        if self.folder is None:
            return
        text = json.dumps(asdict(result), indent=1)
        _write(self.folder / RESULT_FILE, text)
        _write(self.folder / PICTURE_FILE, picture(json.loads(text)))


def _write(file: Path, text: str) -> None:
    scratch = file.with_name(file.name + ".tmp")
    try:
        scratch.write_text(text, encoding="utf-8")
        os.replace(scratch, file)  # noqa: PTH105
    except OSError as error:
        raise UsageError(f"cannot write {file}: {error.strerror}. Name another folder with --out.") from error
