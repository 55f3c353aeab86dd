from __future__ import annotations

from shardmill.operations.speedtest.result import SpeedtestResult, lines
from shardmill.speedtest.record import Measurement
from shardmill.speedtest.summary import summarise
from tests.speedtest.rows import row


def told(rows: list[Measurement], **changes: object) -> str:
    options: dict[str, object] = {
        "out": "runs/x",
        "results": "runs/x/results.parquet",
        "engine": "local",
        "passes": len(rows),
        "made": len(rows),
        "warm_ups": 1,
        "seconds": 12.3,
        "warnings": (),
        "pickle": None,
        **changes,
    }
    return "\n".join(lines(SpeedtestResult(cells=tuple(summarise(rows)), **options)))  # type: ignore[arg-type]


def test_a_grid_is_a_table_of_batch_sizes_and_numbers_of_batches() -> None:
    rows = [
        row(batch_size=size, num_batches=count, repetition=at, images_per_s=100.0 * size + count + at)
        for size in (2, 16)
        for count in (4, 32)
        for at in range(5)
    ]
    text = told(rows).splitlines()
    assert text[:6] == [
        "flowers: tfrecord by native, decoded, 2 parallel reads, warm cache",
        "  images/s: median of 5 passes ± half the width of their middle half",
        "  batch size     4 batches    32 batches",
        "           2      206 ±0%       234 ±0% ",
        "          16    1,606 ±0%     1,634 ±0% ",
        "  first batch after 4 to 4 ms",
    ]
    assert text[-1] == "runs/x/results.parquet: 20 passes on local, 12.3 s"


def test_ways_of_reading_with_one_cell_each_are_one_table() -> None:
    rows = [row(), row(cache="cold", images_per_s=25.0, cache_seen="mixed"), row(concurrency=4, images_per_s=99.0)]
    text = told(rows).splitlines()
    assert text[0] == "8 batches of 4 images; median of 1 pass ± half the width of their middle half"
    assert [line.split()[-7:-3] for line in text[2:5]] == [
        ["cold", "cache", "25", "±0%!"],
        ["warm", "cache", "256", "±0%"],
        ["same", "time", "99", "±0%"],
    ]
    assert len({len(line) for line in text[1:5]}) == 1


def test_shards_are_compared_with_files() -> None:
    files = {"dataset": "raw", "source": "files", "format": "files"}
    rows = [row(batch_size=size, images_per_s=60.0 * size) for size in (2, 4)]
    rows += [row(batch_size=size, images_per_s=10.0 * size, **files) for size in (2, 4)]
    assert "flowers is 6 times as fast as raw by native, decoded, 6 to 6 in the middle half of 2 cells" in told(rows)


def test_what_was_kept_and_what_must_be_known_is_said() -> None:
    text = told([row()], passes=9, made=4, warnings=("mind the gap",), pickle="runs/x/a.pkl")
    assert "note: mind the gap" in text
    assert "9 passes on local, 5 of them kept from before, 12.3 s" in text
    assert text.endswith("runs/x/a.pkl: averages, for notebooks")


def test_names_cannot_steer_the_terminal() -> None:
    assert "\x1b" not in told([row(dataset="a\x1b[2J")])
