"""The `shardmill` command. Only the module of the command asked for is imported."""

from __future__ import annotations

import argparse
import signal
import sys
from collections.abc import Sequence
from importlib import import_module
from types import FrameType
from typing import Final

import shardmill
from shardmill.cli.parse import Parser
from shardmill.errors import ShardmillError
from shardmill.units import printable

COMMANDS: Final = {
    "demo": "all of it on a small set made here, offline, in a minute",
    "prepare": "images in, shards out",
    "verify": "prove a data set whole, or say what is not",
    "convert": "shards of one format from those of another",
    "show": "a contact sheet and a summary of what is in the shards",
    "speedtest": "how fast a data set is read, over a grid of factors",
    "fetch": "a public set of images to try things on",
    "model": "which factor matters for throughput, by how much, and what limits",
    "cluster init": "what a Google Cloud project needs for clusters, and make it",
    "cluster up": "make a cluster: here, or on Google Dataproc",
    "cluster list": "the clusters that are there, and what they cost",
    "cluster submit": "run a command on a cluster, and bring its result home",
    "cluster metrics": "what CPU, network and disk its machines used",
    "cluster down": "delete clusters",
    "cluster render": "a shape as gcloud commands, with its price",
    "sweep": "one job over cluster shapes: time, use and cost side by side",
    "pick": "the cheapest cluster shape that meets a deadline, in few trial runs",
    "bench-pick": "how well search strategies pick, over traces of measured runs",
    "report": "one page from any set of runs, with what to do about it",
    "advise": "what to do, from measurements alone, and what they cannot tell",
    "doctor": "what works on this machine, with remedies",
    "completion": "a script that completes commands and flags in your shell",
}
INTERRUPTED: Final = 130

_DESCRIPTION: Final = """\
Turn piles of images into training-ready shards, prove them whole, and see what is in them.

commands:
"""
_EPILOG: Final = """\
examples:
  shardmill demo
  shardmill prepare photos/ shards/ --size 224 --splits train=0.9,val=0.1
  shardmill prepare list.csv shards/ --image-col path --label-col species
  shardmill verify shards/
  shardmill show shards/

`shardmill COMMAND --help` tells the rest.

exit codes: 0 done, 1 failed, 2 wrong request, 3 stopped and can be resumed, 4 too many inputs failed,
5 data damaged, 130 interrupted
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code."""
    words = list(sys.argv[1:] if argv is None else argv)
    for count in (1, 2):
        if (name := " ".join(words[:count])) in COMMANDS and len(words) >= count:
            return _run(name, words[count:])
    parser = Parser(
        prog="shardmill",
        usage="shardmill [--version] COMMAND [ARGUMENTS]",
        description=_DESCRIPTION + "\n".join(f"  {name:<17}{text}" for name, text in COMMANDS.items()),
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"shardmill {shardmill.__version__}")
    if words and (family := [name for name in COMMANDS if name.startswith(f"{words[0]} ")]):
        parser.error(f"{words[0]} what? Choose one of: {', '.join(family)}")
    if words and not words[0].startswith("-"):
        parser.error(f"no command {words[0]!r}; choose one of: {', '.join(COMMANDS)}")
    parser.parse_args(words)
    parser.print_help()
    return 0


def module_of(name: str) -> str:
    """The module of the command called `name`."""
    return f"shardmill.cli.{name.replace('-', '_').replace(' ', '.')}"


def _run(name: str, words: Sequence[str]) -> int:
    signal.signal(signal.SIGTERM, _terminate)
    try:
        command = import_module(module_of(name))
        code: int = command.run(words)
    except ShardmillError as error:  # anything else is a bug of ours: let its traceback show
        print("shardmill:", *map(printable, str(error).splitlines()), sep=" ", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        print("shardmill: interrupted; the same command continues where it stopped.", file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:  # `| head` has read enough
        sys.stderr.close()
        return 1
    return code


def _terminate(number: int, frame: FrameType | None) -> None:
    """End as Ctrl-C does, so that nothing is left behind."""
    sys.exit(128 + number)


if __name__ == "__main__":
    sys.exit(main())
