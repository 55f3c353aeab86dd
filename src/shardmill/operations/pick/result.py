"""What `pick` returns, in plain values, and how it reads."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from shardmill.search.base import Problem, Trial
from shardmill.search.loop import Ending, Paid, Step
from shardmill.search.shapes import Shape
from shardmill.shown import Shown
from shardmill.units import format_count, format_seconds, printable


@dataclass(frozen=True, slots=True)
class TrialResult:
    """One paid run of the search."""

    shape: str
    outcome: str
    """`ok`, `failed`, `timeout` (stopped at a time limit of the job) or `cut` (stopped by the search)."""
    fraction: float
    """Share of the data that was read."""
    runtime_s: float | None
    run_usd: float | None
    """Price of the run by its time; None where the time is not known."""
    paid_usd: float


@dataclass(frozen=True, slots=True)
class ShapeBelief:
    """What is held of one candidate."""

    shape: str
    machine_type: str
    family: str
    node_count: int
    vcpus_per_node: float
    memory_gb_per_node: float
    usd_per_hour: float
    """Of the whole cluster."""
    tried: int | None
    """Which run it was, from 1."""
    run_usd: tuple[float, float, float] | None
    """Cost of a run, expected: 5th, 50th and 95th percentile; None before anything has ended well."""
    runtime_s: tuple[float, float, float] | None
    success: float | None
    """Probability that a run ends well and keeps the limits."""


@dataclass(frozen=True, slots=True)
class PickResult(Shown):
    """The choice, how sure it is, and what it cost."""

    workload: str
    strategy: str
    objective: str
    deadline_s: float | None
    max_run_usd: float | None
    ending: str
    """`sure`: the stop rule; `hopeless`: the same, without a pick; `tried`: no shape left; `budget`, `runs`: a limit; `none`:
    no shape keeps the limits."""
    best: str | None
    """The shape picked, one that was run; None where none kept the limits."""
    run_usd: float | None
    """Of the picked shape's run, as measured."""
    runtime_s: float | None
    run_usd_interval: tuple[float, float] | None
    """Where nine in ten further runs are expected."""
    runtime_s_interval: tuple[float, float] | None
    runner_up: str | None
    """The next best of the shapes that were run."""
    runner_up_worse: float | None
    """How much more it costs (or takes) than the pick, as a share."""
    within: float
    """Per cent."""
    confidence: float | None
    """Probability that no shape beats the pick by more than `within`; without a pick, that none keeps the limits."""
    next_shape: str | None
    """What would have been tried next."""
    trials: tuple[TrialResult, ...]
    failed: int
    search_usd: float
    search_s: float
    """Of cluster time, without set-up."""
    exhaustive_usd: float | None
    """What running every shape costs: measured where known, else expected."""
    exhaustive_measured: bool
    shapes: tuple[ShapeBelief, ...]
    folder: str | None


def result_of(
    problem: Problem,
    step: Step,
    *,
    workload: str,
    strategy: str,
    within: float,
    folder: str | None,
    exhaustive_usd: float | None,
) -> PickResult:
    """The result at `step`; `exhaustive_usd` is what running every shape costs, where that is known."""
    best = step.best
    belief = step.proposal.belief
    order = {paid.trial.shape: place for place, paid in enumerate(step.trials, start=1)}
    shapes = tuple(_belief(problem, step, index, order.get(index)) for index in range(len(problem.shapes)))
    ranked = sorted(_answers(problem, [paid.trial for paid in step.trials]), key=problem.score)
    second = ranked[1] if len(ranked) > 1 else None
    expected = None
    if belief is not None:
        untried = [shape.run_usd[1] for shape in shapes if shape.tried is None and shape.run_usd is not None]
        expected = step.spent_usd + math.fsum(untried)
    interval = None if best is None else shapes[best.shape]
    return PickResult(
        workload=workload,
        strategy=strategy,
        objective=problem.objective,
        deadline_s=problem.deadline_s,
        max_run_usd=problem.max_run_usd,
        ending=step.ending or "",
        best=None if best is None else problem.shapes[best.shape].label,
        run_usd=None if best is None else _run_usd(problem.shapes[best.shape], best),
        runtime_s=None if best is None else best.runtime_s,
        run_usd_interval=_ends(interval.run_usd) if interval is not None else None,
        runtime_s_interval=_ends(interval.runtime_s) if interval is not None else None,
        runner_up=None if second is None else problem.shapes[second.shape].label,
        runner_up_worse=None
        if second is None or best is None
        else math.expm1(problem.score(second) - problem.score(best)),
        within=within,
        confidence=step.proposal.confidence,
        next_shape=None if step.proposal.shape is None else problem.shapes[step.proposal.shape].label,
        trials=tuple(_trial(problem, paid) for paid in step.trials),
        failed=sum(paid.trial.outcome != "ok" for paid in step.trials),
        search_usd=step.spent_usd,
        search_s=math.fsum(paid.paid_usd / problem.shapes[paid.trial.shape].usd_per_s for paid in step.trials),
        exhaustive_usd=exhaustive_usd if exhaustive_usd is not None else expected,
        exhaustive_measured=exhaustive_usd is not None,
        shapes=shapes,
        folder=folder,
    )


def _answers(problem: Problem, trials: Sequence[Trial]) -> list[Trial]:
    return [trial for trial in trials if problem.best([trial]) is not None]


def _run_usd(shape: Shape, trial: Trial) -> float | None:
    return None if trial.runtime_s is None else trial.runtime_s * shape.usd_per_s


def _ends(values: tuple[float, float, float] | None) -> tuple[float, float] | None:
    return None if values is None else (values[0], values[2])


def _trial(problem: Problem, paid: Paid) -> TrialResult:
    shape = problem.shapes[paid.trial.shape]
    trial = paid.trial
    return TrialResult(
        shape.label, trial.outcome, trial.fraction, trial.runtime_s, _run_usd(shape, trial), paid.paid_usd
    )


def _belief(problem: Problem, step: Step, index: int, tried: int | None) -> ShapeBelief:
    shape, belief = problem.shapes[index], step.proposal.belief
    seconds = usd = None
    if belief is not None:
        low, middle, high = (
            math.exp(float(values[index]) + float(problem.time_offset[index]))
            for values in (belief.low, belief.median, belief.high)
        )
        seconds = (low, middle, high)
        usd = (low * shape.usd_per_s, middle * shape.usd_per_s, high * shape.usd_per_s)
    return ShapeBelief(
        shape=shape.label,
        machine_type=shape.machine_type,
        family=shape.family,
        node_count=shape.node_count,
        vcpus_per_node=shape.vcpus_per_node,
        memory_gb_per_node=shape.memory_gb_per_node,
        usd_per_hour=shape.usd_per_s * 3600,
        tried=tried,
        run_usd=usd,
        runtime_s=seconds,
        success=None if belief is None else float(belief.success[index]),
    )


def dollars(value: float) -> str:
    """`$12.40`, `$0.24`, `$0.0031`."""
    if value >= 0.995:
        return f"${value:,.2f}"
    return f"${value:.3f}" if value >= 0.0995 else f"${value:.2g}" if value >= 1e-6 else f"${value:g}"


def step_lines(problem: Problem, step: Step, within: float) -> list[str]:
    """What the search knows after a run, for people; empty before the first run."""
    if not step.trials:
        return []
    last = step.trials[-1]
    shape = problem.shapes[last.trial.shape]
    number = len(step.trials)
    text = [f"run {number:<2} {printable(shape.label):<28} {_went(shape, last.trial)}"]
    if step.best is None:
        text.append("       no run has ended well within the limits yet")
    else:
        best = problem.shapes[step.best.shape]
        known = "this run" if step.best.shape == last.trial.shape else printable(best.label)
        text.append(f"       best so far: {known}, {_worth(problem, step.best)}")
        if step.proposal.confidence is not None:
            chance = 1 - step.proposal.confidence
            text.append(f"       chance that some shape is over {within:g} % better: {chance:.0%}")
    if step.ending is None and step.proposal.shape is not None:
        text.append(f"       next: {printable(problem.shapes[step.proposal.shape].label)}, {step.proposal.reason}")
    return text


def _went(shape: Shape, trial: Trial) -> str:
    if trial.outcome == "ok" and trial.runtime_s is not None:
        part = "" if trial.fraction == 1.0 else f" for {trial.fraction:.0%} of the data"
        return f"{format_seconds(trial.runtime_s)}, {dollars(trial.runtime_s * shape.usd_per_s)}{part}"
    lasted = "" if trial.runtime_s is None else f" after {format_seconds(trial.runtime_s)}"
    return {
        "failed": f"failed{lasted}: paid for, and a warning about shapes like it",
        "timeout": f"hit the time limit{lasted}: paid for, and a warning about shapes like it",
        "cut": f"stopped{lasted}: it could no longer win",
    }[trial.outcome]


def _worth(problem: Problem, trial: Trial) -> str:
    assert trial.runtime_s is not None
    usd = dollars(trial.runtime_s * problem.shapes[trial.shape].usd_per_s)
    return f"{usd} a run" if problem.objective == "cost" else f"{format_seconds(trial.runtime_s)} a run"


def lines(result: PickResult) -> list[str]:
    """The result for people who have never heard of Gaussian processes."""
    aim = "cheapest" if result.objective == "cost" else "fastest"
    limits = []
    if result.deadline_s is not None:
        limits.append(f"done in {format_seconds(result.deadline_s)}")
    if result.max_run_usd is not None:
        limits.append(f"at most {dollars(result.max_run_usd)} a run")
    asked = f"{aim} shape for {printable(result.workload)}" + (f", {' and '.join(limits)}" if limits else "")
    text = [f"{asked}, of {format_count(len(result.shapes), 'shape')}", ""]
    text += [*_table(result), ""]
    if result.best is None:
        text += [f"no pick     {_why(result)}", *_closest(result)]
        return text + _bill(result)
    assert result.run_usd is not None
    assert result.runtime_s is not None
    text.append(f"pick        {printable(result.best)}")
    text.append(
        f"one run     {dollars(result.run_usd)} and {format_seconds(result.runtime_s)}, as measured{_again(result)}"
    )
    if result.runner_up is not None and result.runner_up_worse is not None:
        worse = f"{result.runner_up_worse:.1%} {'more' if result.objective == 'cost' else 'longer'}"
        text.append(f"runner-up   {printable(result.runner_up)}, {worse}")
    text.append(f"how sure    {_sure(result)}")
    return text + _bill(result)


def _table(result: PickResult) -> list[str]:
    value = [trial.run_usd if result.objective == "cost" else trial.runtime_s for trial in result.trials]
    ended = [one for trial, one in zip(result.trials, value, strict=True) if trial.outcome == "ok" and one is not None]
    lowest = min(ended, default=1.0)
    width = max([len(printable(trial.shape)) for trial in result.trials] + [10])
    bar = "cost" if result.objective == "cost" else "time"
    text = [f"  run  {'shape':<{width}}  {'time':>12}  {'cost':>8}  {bar} beside the best, which has 8 marks"]
    for number, (trial, one) in enumerate(zip(result.trials, value, strict=True), start=1):
        seconds = "-" if trial.runtime_s is None else format_seconds(trial.runtime_s)
        usd = "-" if trial.run_usd is None else dollars(trial.run_usd)
        beside = {"failed": "failed", "timeout": "hit the time limit", "cut": "stopped, could no longer win"}.get(
            trial.outcome
        )
        if beside is not None:
            beside += f"; paid {dollars(trial.paid_usd)} all the same"
        if beside is None and one is not None:
            share = one / lowest
            late = result.deadline_s is not None and (trial.runtime_s or 0) > result.deadline_s
            dear = result.max_run_usd is not None and (trial.run_usd or 0) > result.max_run_usd
            beside = "too late" if late else "too dear" if dear else "#" * max(1, min(40, round(8 * share)))
            if trial.shape == result.best:
                beside += "  <- pick"
        text.append(f"  {number:>3}  {printable(trial.shape):<{width}}  {seconds:>12}  {usd:>8}  {beside}")
    return text


def _again(result: PickResult) -> str:
    if result.run_usd_interval is None or result.runtime_s_interval is None:
        return ""
    low, high = result.run_usd_interval
    return f"; nine further runs in ten should cost {dollars(low)} to {dollars(high)}"


def _closest(result: PickResult) -> list[str]:
    """The run that came closest to the limits."""
    misses = [
        (
            max((one.runtime_s or 0) / (result.deadline_s or math.inf), one.run_usd / (result.max_run_usd or math.inf)),
            one,
        )
        for one in result.trials
        if one.outcome == "ok" and one.run_usd is not None
    ]
    if not misses or (result.deadline_s is None and result.max_run_usd is None):
        return []
    _, one = min(misses, key=lambda miss: miss[0])
    assert one.runtime_s is not None
    assert one.run_usd is not None
    return [f"closest     {printable(one.shape)}: {dollars(one.run_usd)} and {format_seconds(one.runtime_s)}"]


def _sure(result: PickResult) -> str:
    said = ""
    if result.confidence is not None:
        said = (
            f"{min(result.confidence, 0.999):.0%} that none of the others is more than {result.within:g} % better"
            if result.ending != "tried"
            else "every shape was tried"
        )
    why = _why(result)
    return f"{said}; {why}" if said and result.ending not in ("sure", "tried") else said or why


def _why(result: PickResult) -> str:
    ending: Ending | str = result.ending
    return {
        "sure": f"{result.strategy} does not say; its own rule ended the search",
        "hopeless": f"{min(result.confidence or 0.0, 0.999):.1%} sure that no shape ends well within the limits",
        "tried": "every shape was tried",
        "budget": "the next run was expected to cost more than what is left of the budget",
        "runs": "the runs allowed are used up",
        "none": "every shape was tried, and none ended well within the limits",
    }.get(ending, ending)


def _bill(result: PickResult) -> list[str]:
    failed = f", {result.failed} of them failed or stopped" if result.failed else ""
    paid = f"{dollars(result.search_usd)}, {format_seconds(result.search_s)} of cluster time"
    text = [f"this search {format_count(len(result.trials), 'run')}{failed}: {paid}"]
    if result.exhaustive_usd is not None:
        known = "would have cost" if result.exhaustive_measured else "would cost about"
        text.append(
            f"            running all {len(result.shapes)} {known} {dollars(result.exhaustive_usd)}, "
            f"{result.exhaustive_usd / max(result.search_usd, 1e-12):.1f} times as much"
        )
    if result.folder is not None:
        text.append(f"run folder  {result.folder}: a picture is in it, pick.svg; shardmill report makes a page of it")
    return text
