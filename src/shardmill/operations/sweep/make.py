"""Making the runs of a sweep: a cluster a shape, the runs on it one after the other, all evidence kept as it comes."""

from __future__ import annotations

import hashlib
import re
import secrets
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Final

from shardmill.clusters.base import Cluster, ClusterProvider, ClusterSpec, Job, JobOutcome, running
from shardmill.clusters.event_log import EventLog, read_event_log
from shardmill.errors import ClusterError, ResumableError, ShardmillError, UsageError
from shardmill.operations.prepare.existing import remove_old
from shardmill.storage.local import LocalStore
from shardmill.storage.open import open_store
from shardmill.storage.store_lock import LOCK
from shardmill.sweep.budget import Budget, Reckoning
from shardmill.sweep.evidence import ClusterSeen, Evidence, RunSeen
from shardmill.sweep.plan import PlannedCluster, PlannedRun
from shardmill.sweep.request import SweepRequest
from shardmill.sweep.row import Price
from shardmill.units import format_count, format_seconds

Say = Callable[[str], None]
OpenProvider = Callable[[str], ClusterProvider]

_WRONG_REQUEST: Final = UsageError.exit_code
_SAMPLES_AFTER_S: Final = 2.0
"""A run's last sample may begin that late."""


class Maker:
    """Makes what is left of a sweep, within its budget."""

    def __init__(
        self,
        request: SweepRequest,
        evidence: Evidence,
        price: Price,
        budget: Budget,
        providers: OpenProvider,
        say: Say,
        on_output: Say,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._request, self._evidence, self._price, self._budget = request, evidence, price, budget
        self._providers, self._say, self._on_output, self._clock = providers, say, on_output, clock
        self._clusters = {seen.name: seen for seen in evidence.clusters()}
        self._runs = evidence.runs()
        self.notes: list[str] = []
        """What was not made, and why, a sentence each."""

    def make(self, left: Sequence[PlannedCluster]) -> None:
        """Make the runs that are left, as far as the budget goes.

        Raises:
            UsageError: the job itself is wrong, so that no shape could run it.
            ClusterError: a cluster may still be there; the message says how to delete it.
        """
        self._settle()
        for planned in left:
            objection = self._reckoning().objection(planned.spec, planned.runs[0].cell, running=False)
            if objection:
                self._note(f"{planned.spec.name} was left out: {objection}.")
                continue
            try:
                self._on_cluster(planned)
            except _LostError as lost:
                self._note(
                    f"{planned.spec.name} was broken off: {str(lost).rstrip('.')}; the same command makes the rest."
                )

    def trial(self, spec: ClusterSpec, run: PlannedRun, limit_s: float | None = None) -> RunSeen:
        """Make one run on a cluster of its own, stopped after `limit_s` seconds.

        Raises:
            ClusterError: the cluster could not be made, or may still be there.
            ResumableError: it was lost while the job ran.
            UsageError: the job itself is wrong.
            OutOfBudgetError: making and deleting the cluster would pass the budget alone.
        """
        self._settle()
        reckoning = self._reckoning()
        if beyond := reckoning.beyond(spec, reckoning.creation_s(spec) + reckoning.deletion_s(spec)):
            raise OutOfBudgetError(beyond)
        try:
            self._on_cluster(PlannedCluster(spec, (run,)), limit_s)
        except _LostError as lost:
            raise ResumableError(f"{spec.name}: {lost}; run the same command to go on.") from lost
        return self._runs[-1]

    def paid_usd(self, run: RunSeen) -> float | None:
        """What its cluster cost, from being asked for to its deletion; None without a price."""
        seen = self._clusters[run.cluster]
        return None if seen.deleted_at is None else self._price(seen.spec, seen.deleted_at - seen.asked_at)

    def collect_usage(self) -> None:
        """What the machines used during each run that it is not known of yet; some providers tell it minutes later."""
        for position, run in enumerate(self._runs):
            cluster = self._clusters[run.cluster]
            if run.usage or cluster.ready_at is None:
                continue
            told = _as_told(cluster)
            usage = self._providers(cluster.spec.provider).usage(
                told, run.outcome.started_at, run.outcome.finished_at + _SAMPLES_AFTER_S
            )
            if usage:
                self._runs[position] = replace(run, usage=tuple(usage))
                self._evidence.save_run(self._runs[position])

    def _on_cluster(self, planned: PlannedCluster, limit_s: float | None = None) -> None:
        provider, spec = self._providers(planned.spec.provider), planned.spec
        name = f"sm-{hashlib.sha256(str(self._evidence.folder).encode()).hexdigest()[:4]}-{_slug(spec.name)[:20]}-{secrets.token_hex(3)}"
        limit = self._reckoning().longest_run_s(spec)
        if limit is not None:  # the server's own limit keeps the budget if we cannot
            spec = replace(spec, max_age_s=max(min(spec.max_age_s, int(limit)), 600))
        self._say(f"{spec.name}: making a cluster for {format_count(len(planned.runs), 'run')}")
        with self._seen(provider, spec, name) as cluster:
            for number, run in enumerate(planned.runs):
                objection = self._reckoning().objection(spec, run.cell, running=True) if number else ""
                if objection:
                    self._note(f"{spec.name} was broken off after {number} of {len(planned.runs)} runs: {objection}.")
                    return
                self._one(provider, cluster, run, limit_s, first=number == 0)

    @contextmanager
    def _seen(self, provider: ClusterProvider, spec: ClusterSpec, name: str) -> Iterator[Cluster]:
        """A running cluster, whose beginning and end are put on record whatever happens."""
        self._keep(ClusterSeen(name, spec, asked_at=self._clock()))
        left = False
        try:
            with running(provider, spec, name) as cluster:
                ready = replace(self._clusters[name], ready_at=cluster.ready_at, nodes=dict(cluster.nodes))
                self._keep(replace(ready, facts=dict(cluster.facts)))
                yield cluster
        except (ClusterError, UsageError) as error:
            self._keep(replace(self._clusters[name], error=str(error)))
            left = name in [cluster.name for cluster in provider.find()]
            if left or (isinstance(error, UsageError) and self._clusters[name].ready_at is not None):
                raise  # what is left costs money, and a wrong job is wrong on every shape
            raise _LostError(str(error)) from error
        finally:
            if not left:
                self._keep(replace(self._clusters[name], deleted_at=self._clock()))

    def _one(
        self, provider: ClusterProvider, cluster: Cluster, planned: PlannedRun, limit_s: float | None, *, first: bool
    ) -> None:
        cell = planned.cell
        parts = [_slug(cell.shape)[:24], f"p{cell.partitions}" if cell.partitions else "", f"r{planned.repetition}"]
        name = "-".join([part for part in parts if part] + [secrets.token_hex(3)])
        words = self._request.words(cell, name)
        limits = [limit_s, self._reckoning().longest_run_s(cluster.spec)]
        timeout = min((limit for limit in limits if limit is not None), default=None)
        outcome = provider.submit(cluster, Job(name, words, timeout_s=timeout), self._on_output)
        if outcome.state == "lost":
            raise _LostError(outcome.error or "the cluster went away while the job ran")
        if outcome.state == "failed" and outcome.exit_code == _WRONG_REQUEST:
            raise UsageError(f"the job cannot run as it stands: {outcome.error}")
        if outcome.state == "cancelled" and (timeout is None or outcome.elapsed_s < 0.9 * timeout):
            raise _LostError("the job was cancelled")
        run = RunSeen(
            name=name,
            cell=cell,
            repetition=planned.repetition,
            position=planned.position,
            first=first,
            cluster=cluster.name,
            words=words,
            outcome=outcome,
            usage=(),
            log=self._log(outcome),
        )
        self._evidence.save_run(run)
        self._runs.append(run)
        self._say(_told(run))
        if not self._request.keep_outputs and outcome.state == "done":
            _clear(outcome)

    def _log(self, outcome: JobOutcome) -> EventLog | None:
        if outcome.event_log is None:
            return None
        try:
            return read_event_log(outcome.event_log)
        except ClusterError as error:
            self._note(str(error))
            return None

    def _settle(self) -> None:
        """Clusters of an earlier process of this sweep: delete those that are there, put an end to the account of the rest."""
        for seen in [cluster for cluster in self._clusters.values() if cluster.deleted_at is None]:
            provider = self._providers(seen.spec.provider)
            if seen.name in [cluster.name for cluster in provider.find()]:
                self._say(f"{seen.spec.name}: deleting {seen.name}, which an earlier run of this sweep left")
                provider.delete(seen.name)
                self._keep(replace(seen, deleted_at=self._clock()))
                continue
            used = [run.outcome.finished_at for run in self._runs if run.cluster == seen.name]
            last = max([seen.asked_at, seen.ready_at or 0.0, *used])
            until = last if seen.spec.provider == "local" else min(last + seen.spec.idle_delete_s, self._clock())
            self._keep(replace(seen, deleted_at=until, error="nobody saw its end"))

    def _reckoning(self) -> Reckoning:
        return Reckoning(
            self._budget,
            self._price,
            self._request.expect_s,
            tuple(self._clusters.values()),
            tuple(self._runs),
            self._clock,
        )

    def _keep(self, seen: ClusterSeen) -> None:
        self._clusters[seen.name] = seen
        self._evidence.save_cluster(seen)

    def _note(self, sentence: str) -> None:
        self.notes.append(sentence)
        self._say(sentence)


class OutOfBudgetError(ShardmillError):
    """The run cannot be afforded."""


class _LostError(ShardmillError):
    """This shape cannot go on; others can."""


def _as_told(seen: ClusterSeen) -> Cluster:
    """As a provider that remembers deleted clusters needs it."""
    return Cluster(
        name=seen.name,
        provider=seen.spec.provider,
        spec=seen.spec,
        state="ending",
        created_at=seen.asked_at,
        ready_at=seen.ready_at,
        expires_at=seen.asked_at + seen.spec.max_age_s,
        nodes=seen.nodes,
        facts=seen.facts,
    )


def _told(run: RunSeen) -> str:
    cell, outcome = run.cell, run.outcome
    what = f"{cell.shape}, {format_count(cell.partitions, 'partition')}" if cell.partitions else cell.shape
    how = format_seconds(outcome.elapsed_s)
    return f"{what}, run {run.repetition + 1}: " + (
        how
        if outcome.state == "done"
        else f"{outcome.state} after {how}: {outcome.error.splitlines()[-1] if outcome.error else 'no reason told'}"
    )


def _clear(outcome: JobOutcome) -> None:
    """Delete the data set that the run wrote: what its manifest names, and the folder if that empties it."""
    dest = (outcome.result or {}).get("dest")
    if not isinstance(dest, str):
        return
    store = open_store(dest)
    remove_old(store)
    store.remove(LOCK)
    if isinstance(store, LocalStore):
        for folder in [
            *sorted((path for path in Path(store.root).rglob("*") if path.is_dir()), reverse=True),
            Path(store.root),
        ]:
            with suppress(OSError):  # something else lies in it
                folder.rmdir()


def _slug(name: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")
