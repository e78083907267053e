"""The clocks of a body: idle and progress run only while somebody waits, total always does."""

from __future__ import annotations

from sans_io_stream.policy import Timeouts
from sans_io_stream.session.clocks import Clocks


def clocks(
    idle: float | None = 10, progress: float | None = 30, total: float | None = None
) -> Clocks:
    made = Clocks(Timeouts(idle=idle, progress=progress, total=total))
    made.start(0.0)
    made.begin_body()
    return made


def test_idle_runs_from_when_a_receive_was_first_asked_for() -> None:
    running = clocks()
    assert running.over(1000.0) is None
    assert running.asked(1000.0) == 1010.0
    assert running.asked(1005.0) == 1010.0, "asked again, it answers the same"
    assert running.over(1009.9) is None
    assert running.over(1010.0) == "idle"


def test_any_byte_winds_idle_up_again_and_only_progress_the_other() -> None:
    running = clocks()
    for turn in range(3):
        begun = turn * 100.0
        assert running.asked(begun) == begun + 10
        running.heard(begun + 8, progress=False)
    # 24 of its 30 seconds were waited for; the time in between was the consumer's.
    assert running.asked(500.0) == 506.0
    assert running.over(506.0) == "progress"
    running.heard(505.0, progress=True)
    assert running.asked(600.0) == 610.0
    running.heard(609.0, progress=False)
    assert running.asked(700.0) == 710.0


def test_a_slow_consumer_makes_no_timeout() -> None:
    running = clocks()
    running.asked(0.0)
    running.heard(1.0, progress=True)
    assert running.over(1e9) is None


def test_heartbeats_that_nobody_waited_for_cost_nothing() -> None:
    running = clocks()
    for _ in range(100):
        running.heard(50.0, progress=False)
    assert running.asked(60.0) == 70.0
    running.heard(69.0, progress=False)
    assert running.asked(70.0) == 80.0


def test_total_runs_from_the_start_whatever_comes() -> None:
    running = clocks(total=100)
    assert running.asked(95.0) == 100.0
    running.heard(99.0, progress=True)
    assert running.over(99.9) is None
    assert running.over(100.0) == "total"
    running.begin_body()
    assert running.over(100.0) == "total"


def test_a_cap_bounds_a_body_and_a_new_body_has_none() -> None:
    running = clocks()
    running.begin_body(5.0)
    assert running.asked(1.0) == 5.0
    running.heard(4.0, progress=True)
    assert running.over(4.9) is None
    assert running.over(5.0) == "cap"
    running.begin_body()
    assert running.over(5.0) is None
    assert running.asked(6.0) == 16.0


def test_a_new_body_has_all_of_its_time() -> None:
    running = clocks()
    running.asked(0.0)
    running.heard(9.0, progress=False)
    running.asked(9.0)
    running.begin_body()
    assert running.over(1000.0) is None
    assert running.asked(1000.0) == 1010.0


def test_clocks_that_are_off_never_run_out() -> None:
    running = clocks(idle=None, progress=None)
    assert running.asked(0.0) is None
    running.heard(1e9, progress=False)
    assert running.asked(1e9) is None
    assert running.over(1e12) is None


def test_progress_alone_counts_all_waits() -> None:
    running = clocks(idle=None)
    assert running.asked(0.0) == 30.0
    running.heard(20.0, progress=False)
    assert running.asked(20.0) == 30.0
    assert running.over(30.0) == "progress"
