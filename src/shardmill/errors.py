"""Every error that shardmill raises on purpose, in one tree sorted by what the caller does next.

    ShardmillError
    ├── UsageError             exit 2    change the request
    │   └── MissingExtraError  exit 2    install the named extra
    ├── ResumableError         exit 3    run the same command again: what is done stays done
    ├── TooManyFailuresError   exit 4    look at the failed inputs, then raise the limit or retry them
    ├── DamageError            exit 5    the data set is not what its manifest says
    └── ClusterError           exit 1    see what is left of the cluster, as the message says

A run that fails otherwise exits 1, an interrupted one 130. Every message is one sentence that ends with the remedy.
"""

from __future__ import annotations

from typing import ClassVar


class ShardmillError(Exception):
    """Base of all errors raised on purpose; anything else is a bug and shows its traceback."""

    exit_code: ClassVar[int] = 1


class UsageError(ShardmillError):
    """The request cannot be carried out as it stands."""

    exit_code = 2


class MissingExtraError(UsageError):
    """A package is needed that the core does not install."""


class ResumableError(ShardmillError):
    """The run stopped before its end, everything published stays valid, and the same command continues it."""

    exit_code = 3


class TooManyFailuresError(ShardmillError):
    """More inputs failed than the request allows."""

    exit_code = 4


class DamageError(ShardmillError):
    """A data set is incomplete or its bytes are not those that were written."""

    exit_code = 5


class ClusterError(ShardmillError):
    """A cluster could not be made, used or deleted; the message says what is left and how to delete it."""
