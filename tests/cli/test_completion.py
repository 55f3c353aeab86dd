from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from shardmill.cli.completion import completion
from shardmill.cli.main import COMMANDS, main


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["shardmill", "ver"], {"verify"}),
        (["shardmill", "prepare", "--resize"], {"--resize-mode", "--resize-only-if-bigger"}),
        (["shardmill", "prepare", "--transform", "t"], {"tensorflow"}),
        (["shardmill", "verify", "sha"], {"shards"}),
    ],
)
def test_bash_completes(words: list[str], expected: set[str], tmp_path: Path) -> None:
    (tmp_path / "shards").mkdir()
    (tmp_path / "completion.bash").write_text(completion("bash"))
    line = " ".join(f"'{word}'" for word in words)
    script = (
        f"source ./completion.bash; COMP_WORDS=({line}); COMP_CWORD={len(words) - 1}; "
        'function=$(complete -p shardmill | sed "s/.*-F \\([^ ]*\\) .*/\\1/"); $function; '
        'printf "%s\\n" "${COMPREPLY[@]}"'
    )
    done = subprocess.run(["bash", "-c", script], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert set(done.stdout.split()) == expected


@pytest.mark.parametrize("shell", ["bash", "fish", "tcsh", "zsh"])
def test_every_shell_knows_every_command(shell: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["completion", shell]) == 0
    script = capsys.readouterr().out
    assert [name for name in COMMANDS if any(word not in script for word in name.split())] == []


def test_another_shell_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        main(["completion", "cmd.exe"])
    assert end.value.code == 2
    assert "choose from" in capsys.readouterr().err
