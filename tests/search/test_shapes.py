from __future__ import annotations

from shardmill.search.shapes import Shape, told_apart


def test_what_all_shapes_share_is_not_in_their_labels() -> None:
    disk = ("disk_kind", "pd-ssd")
    shapes = [Shape("n1-standard-2", 2, 2, 7.5, 0.1, (disk, ("partitions", count))) for count in ("4", "8")]
    assert [one.label for one in told_apart(shapes)] == [f"2 x n1-standard-2, partitions {n}" for n in (4, 8)]
    assert told_apart(shapes[:1]) == tuple(shapes[:1])
    other = Shape("n1-standard-2", 2, 2, 7.5, 0.1, (("disk_kind", "pd-standard"),))
    assert told_apart([*shapes, other]) == (*shapes, other)
