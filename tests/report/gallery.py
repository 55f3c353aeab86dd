"""A page with every piece that sections are built of, and with names in it that would be markup if text could be."""

from __future__ import annotations

import math
from io import BytesIO

from PIL import Image

from shardmill.report.finding import Finding
from shardmill.report.html import element, picture
from shardmill.report.page import Page
from shardmill.report.plot.bars import Bar, bars
from shardmill.report.plot.marks import legend
from shardmill.report.plot.scale import Axis
from shardmill.report.plot.timeline import Lane, Span, timeline
from shardmill.report.plot.xy import Level, Mark, Series, xy_figure, xy_plot
from shardmill.report.section import Section, definitions, figure, heading, note, panels, paragraph, table

EVIL = "<script>document.title='broken'</script>\"'><img src=x onerror=alert(1)>&amp;\u202egpj.exe"
BATCHES = (2, 4, 8, 16, 32, 64)


def gallery() -> Page:
    """The page."""
    return Page("Every piece of a page", f"Of the data set {EVIL}.", (_plots(), _words()), "0.0.0")


def _series(hue: int, best: float) -> Series:
    def rate(batch: float) -> float:
        return best * batch / (batch + 3)

    points = tuple(
        Mark(batch, rate(batch) * (1 + 0.04 * math.sin(7 * batch + turn)), f"batch {batch}, repetition {turn}")
        for batch in BATCHES
        for turn in range(5)
    )
    medians = tuple(Mark(batch, rate(batch), f"batch {batch}: median {rate(batch):,.0f} images/s") for batch in BATCHES)
    grid = [2 * 32 ** (step / 20) for step in range(21)]
    return Series(
        f"format {hue}" if hue else EVIL,
        hue,
        points,
        medians,
        tuple((x, rate(x)) for x in grid),
        tuple((x, 0.93 * rate(x), 1.07 * rate(x)) for x in grid),
    )


def _plots() -> Section:
    series = [_series(hue, 6000 - 850 * hue) for hue in range(6)]
    x, y = Axis("batch size", "log", ticks=BATCHES), Axis("images/s", from_zero=True)
    small = [
        xy_plot(series[::3], x, y, description="Rate over batch size", title=f"{count} batches") for count in (4, 8, 16)
    ]
    wide = xy_figure(series, x, y, description="All rates", levels=(Level(6400, "decode ceiling of this processor"),))
    ratios = bars(
        [
            Bar("tfrecord over files", 6.6, "6.6\u00d7", (6.1, 7.2)),
            Bar(f"{EVIL} over files", 5.9, "5.9\u00d7", (3.1, 8.2), 1),
            Bar(
                "parquet over files, read by the native reader with four reads in parallel",
                0.8,
                "0.80\u00d7",
                (0.7, 0.9),
                2,
            ),
        ],
        description="Ratios",
        line_at=1,
    )
    lanes = timeline(
        [
            Lane(f"try {n}", (Span(60 * n, 60 * n + 55, f"try {n}", n), Span(60 * n + 58, 60 * n + 59, "end")))
            for n in range(4)
        ],
        Axis("minutes since the start"),
        description="Four tries",
    )
    behind = table(("batch", "rate"), [(str(b), f"{100 * b:,}") for b in BATCHES], caption="Rates", numeric=(0, 1))
    names = legend([(one.name, one.hue) for one in series], ("small: each pass, large: medians",))
    return Section(
        "plots",
        "Plots",
        (
            figure(panels(small), "Small plots in a row.", behind, legend=names),
            figure(wide, "One over the whole width.", behind),
            figure(ratios, "Bars with intervals."),
            figure(lanes, "A timeline."),
        ),
        (
            Finding(
                "fastest-combination",
                "batch",
                "Read TFRecord shards in batches of 64: 5,432 images/s.",
                5432.1,
                "images/s",
                (5210, 5600),
                "plots",
            ),
            Finding(
                "shards-faster",
                "batch",
                f"Shards of {EVIL} are read 6.6 times as fast as files.",
                6.6,
                "x",
                (6.1, 7.2),
                "plots",
                ("format",),
            ),
            Finding(
                "first-batch",
                "streaming",
                "The first batch of 2 is there after 4.1 ms.",
                0.0041,
                "s",
                (0.0038, 0.0045),
                "plots",
            ),
            Finding(
                "cache-not-as-asked",
                "trust",
                "Of 240 passes, 3 were not as cold as asked, and are left out.",
                3,
                "passes",
                None,
                "words",
            ),
        ),
        "Points, medians, lines, bands, bars and spans.",
    )


def _words() -> Section:
    file = BytesIO()
    Image.new("RGB", (1400, 300), (200, 90, 60)).save(file, "PNG")
    columns = ("model", "held-out error", "R2", "terms", "intercept", "per image", "per batch", "remarks")
    rows = [
        (EVIL if n == 1 else f"model {n}", f"{n}.1 %", "0.98", "3", "12.1 ms", "181 \u00b5s", "3 \u00b5s", "none")
        for n in range(3)
    ]
    return Section(
        "words",
        f"Words and tables {EVIL}",
        (
            paragraph("A paragraph with ", element("strong", "weight"), f" and {EVIL}."),
            heading("A heading"),
            definitions((("host", EVIL), ("cores", "2"), ("memory", "24 GB"))),
            table(columns, rows, caption="A wide table.", numeric=range(1, 7), strong=(0,)),
            element("div", picture(file.getvalue(), "png", "A red picture"), class_="sheet"),
            note("Small type."),
        ),
    )
