"""`shardmill cluster metrics`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from shardmill.cli.parse import Command, print_json
from shardmill.operations.cluster.metrics import ClusterMetrics, cluster_metrics
from shardmill.units import format_bytes, format_seconds, printable

_EXAMPLES: Final = """\
  shardmill cluster metrics photos
  shardmill cluster metrics photos --minutes 60 --json
"""

COMMAND: Final = Command("cluster metrics", cluster_metrics, examples=_EXAMPLES)
_SOURCES: Final = {
    "process": "the processes of each node added up, here",
    "host": "counters of each machine, by a sampler on it",
    "monitoring": "the provider's monitoring, whole minutes only",
}


def run(words: Sequence[str]) -> int:
    arguments, as_json = COMMAND.parse(words)
    result = cluster_metrics(**arguments)
    if as_json:
        print_json(result)
    else:
        print("\n".join(_lines(result)))
    return 0


def _lines(result: ClusterMetrics) -> Iterator[str]:
    if not result.nodes:
        yield f"nothing is known yet of the last {format_seconds(result.end - result.start)} of {printable(result.cluster)}"
        return
    width = max(len(printable(node.node)) for node in result.nodes)
    yield f"{'machine':<{width}}  {'cores':>5} {'CPU':>6} {'in/s':>9} {'out/s':>9} {'read/s':>9} {'write/s':>9} {'memory':>9}"
    for node in result.nodes:
        share = "-" if node.cpu_share is None else f"{node.cpu_share:.0%}"
        amounts = (
            node.network_in_bytes_per_s,
            node.network_out_bytes_per_s,
            node.disk_read_bytes_per_s,
            node.disk_write_bytes_per_s,
            node.memory_bytes,
        )
        cells = " ".join(f"{'-' if one is None else format_bytes(one):>9}" for one in amounts)
        yield f"{printable(node.node):<{width}}  {node.cores:>5g} {share:>6} {cells}"
    seconds = max(node.seconds for node in result.nodes)
    yield f"averages over {format_seconds(seconds)}: {_SOURCES.get(result.source, result.source)}"
