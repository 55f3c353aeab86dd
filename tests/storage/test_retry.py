from __future__ import annotations

import pytest

from shardmill.errors import ResumableError, UsageError
from shardmill.storage.objects import TransientError
from shardmill.storage.pace import FIRST, Pace
from shardmill.storage.retry import retries_so_far, with_retries
from shardmill.storage.settings import parse_settings


class Clock:
    """Time that passes only while somebody sleeps."""

    def __init__(self) -> None:
        self.now = 0.0
        self.sleeps: list[float] = []

    def sleep(self, seconds: float) -> None:
        self.sleeps.append(seconds)
        self.now += seconds


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr("shardmill.storage.retry.time.sleep", clock.sleep)
    monkeypatch.setattr("shardmill.storage.retry.time.monotonic", lambda: clock.now)
    return clock


def failing(*errors: TransientError) -> object:
    left = list(errors)

    def attempt(timeout_s: float) -> str:
        if left:
            raise left.pop(0)
        return "done"

    return attempt


class TestRetries:
    def test_until_one_succeeds(self, clock: Clock) -> None:
        before = retries_so_far()
        attempt = failing(TransientError("503", "x"), TransientError("reset", "x"), TransientError("503", "x"))
        assert with_retries(attempt, "read it", 60.0) == "done"  # type: ignore[arg-type]
        assert retries_so_far() - before == {"503": 2, "reset": 1}
        assert [0.1 <= clock.sleeps[0] <= 0.2, 0.2 <= clock.sleeps[1] <= 0.4, 0.4 <= clock.sleeps[2] <= 0.8] == [
            True
        ] * 3

    def test_gives_up_within_the_time(self, clock: Clock) -> None:
        attempt = failing(*[TransientError("503", "HTTP 503")] * 100)
        with pytest.raises(
            ResumableError, match=r"^cannot read it: \d+ attempts failed within 60 s, the last with HTTP 503\."
        ):
            with_retries(attempt, "read it", 60.0)  # type: ignore[arg-type]
        assert 30 < clock.now <= 60
        assert max(clock.sleeps) <= 16

    def test_waits_as_long_as_the_store_asks(self, clock: Clock) -> None:
        attempt = failing(TransientError("429", "x", retry_after_s=7.0))
        assert with_retries(attempt, "read it", 60.0) == "done"  # type: ignore[arg-type]
        assert clock.sleeps == [7.0]

    def test_an_attempt_gets_no_more_time_than_is_left(self, clock: Clock) -> None:
        given: list[float] = []

        def attempt(timeout_s: float) -> None:
            given.append(timeout_s)
            clock.now += 25
            raise TransientError("timeout", "x")

        with pytest.raises(ResumableError):
            with_retries(attempt, "read it", 70.0)
        assert given[0] == 60
        assert given[1] < 46
        assert given[2] < 21


class TestPace:
    def succeed(self, pace: Pace, times: int) -> None:
        for _ in range(times):
            with pace.slot():
                pass

    def be_slowed(self, pace: Pace) -> None:
        with pytest.raises(TransientError), pace.slot():
            raise TransientError("503", "x", throttled=True)

    def test_ramps_up_to_the_most(self) -> None:
        pace = Pace(10)
        assert pace.limit == FIRST
        self.succeed(pace, 3)
        assert pace.limit == FIRST + 3
        self.succeed(pace, 100)
        assert pace.limit == 10

    def test_halves_and_then_grows_slowly(self) -> None:
        pace = Pace(32)
        self.succeed(pace, 100)
        self.be_slowed(pace)
        assert pace.limit == 16
        self.succeed(pace, 10)
        assert pace.limit == 16
        self.succeed(pace, 10)
        assert pace.limit == 17
        for _ in range(10):
            self.be_slowed(pace)
        assert pace.limit == 1

    def test_other_failures_change_nothing(self) -> None:
        pace = Pace(32)
        with pytest.raises(TransientError), pace.slot():
            raise TransientError("reset", "x")
        assert pace.limit == FIRST


class TestSettings:
    def test_pairs_json_and_mappings_say_the_same(self) -> None:
        wanted = {"anon": True, "client_kwargs": {"region_name": "eu-west-1"}, "key": "a=b"}
        for given in (
            "anon=true, client_kwargs.region_name=eu-west-1,key=a=b",
            '{"anon": true, "client_kwargs": {"region_name": "eu-west-1"}, "key": "a=b"}',
            wanted,
        ):
            assert parse_settings(given).of("s3") == parse_settings(given).of("gs") == wanted

    def test_by_scheme(self) -> None:
        settings = parse_settings("s3.anon=true,gcs.project=mine,timeout=5")
        assert settings.of("s3") == {"timeout": 5, "anon": True}
        assert settings.of("gs") == {"timeout": 5, "project": "mine"}

    def test_time_out_of_nothing(self) -> None:
        with pytest.raises(UsageError, match=r"--store-timeout is 0; it takes a number of at least 1"):
            parse_settings(timeout_s=0)
