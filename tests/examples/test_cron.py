"""examples/cron.py: times across the changes of the clock, and jobs that run."""

import datetime
import importlib.util
import os
import pathlib
import signal
import time
import zoneinfo

import pytest

SOURCE = pathlib.Path(__file__).parents[2] / "examples" / "cron.py"
POSIX_BERLIN = "CET-1CEST,M3.5.0,M10.5.0/3"


@pytest.fixture(scope="module")
def cron():
    spec = importlib.util.spec_from_file_location("cron_example", SOURCE)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(params=["zoneinfo", "TZ"])
def zone(request, monkeypatch):
    """Central European time, as a zone of its own and as the system's."""
    if request.param == "zoneinfo":
        try:
            yield zoneinfo.ZoneInfo("Europe/Berlin")
        except zoneinfo.ZoneInfoNotFoundError:
            pytest.skip("this system has no time zone database")
        return
    with monkeypatch.context() as patch:
        patch.setenv("TZ", POSIX_BERLIN)
        time.tzset()
        yield None
    time.tzset()


@pytest.fixture
def times(cron, zone):
    """A function: the local times, with offset, of the next runs after a UTC time."""

    def compute(fields, after, count):
        schedule = cron.Schedule(fields.split(), zone)
        now = datetime.datetime.fromisoformat(after + "+00:00").timestamp()
        found = []
        for _ in range(count):
            now = schedule.next_time(now)
            local = datetime.datetime.fromtimestamp(now, zone).astimezone(zone)
            found.append(local.strftime("%m-%d %H:%M %z"))
        return found

    return compute


def test_midnight_across_the_change_in_spring(times):
    assert times("0 0 * * *", "2025-03-29 12:00", 3) == [
        "03-30 00:00 +0100",
        "03-31 00:00 +0200",
        "04-01 00:00 +0200",
    ]


def test_midnight_across_the_change_in_autumn(times):
    assert times("0 0 * * *", "2025-10-25 12:00", 3) == [
        "10-26 00:00 +0200",
        "10-27 00:00 +0100",
        "10-28 00:00 +0100",
    ]


def test_skipped_time_is_made_up_for(times):
    assert times("30 2 * * *", "2025-03-29 00:00", 3) == [
        "03-29 02:30 +0100",
        "03-30 03:30 +0200",
        "03-31 02:30 +0200",
    ]


def test_skipped_time_that_meets_another(times):
    assert times("0 2-4 * * *", "2025-03-30 00:00", 3) == [
        "03-30 03:00 +0200",
        "03-30 04:00 +0200",
        "03-31 02:00 +0200",
    ]


def test_doubled_time_runs_once(times):
    assert times("30 2 * * *", "2025-10-25 12:00", 2) == [
        "10-26 02:30 +0200",
        "10-27 02:30 +0100",
    ]


def test_every_hour_goes_on_in_spring(times):
    assert times("15,45 * * * *", "2025-03-30 00:20", 3) == [
        "03-30 01:45 +0100",
        "03-30 03:15 +0200",
        "03-30 03:45 +0200",
    ]


def test_every_hour_goes_on_in_autumn(times):
    assert times("0 * * * *", "2025-10-25 23:30", 4) == [
        "10-26 02:00 +0200",
        "10-26 02:00 +0100",
        "10-26 03:00 +0100",
        "10-26 04:00 +0100",
    ]


def test_every_minute_of_the_changes(cron, zone):
    schedule = cron.Schedule(["*", "*", "*", "*", "*"], zone)
    for start in ("2025-03-29T23:00+00:00", "2025-10-25T22:00+00:00"):
        now = datetime.datetime.fromisoformat(start).timestamp()
        for _ in range(300):
            assert schedule.next_time(now) == now + 60
            now += 60


def test_half_an_hour_is_skipped(cron):
    try:
        zone = zoneinfo.ZoneInfo("Australia/Lord_Howe")
    except zoneinfo.ZoneInfoNotFoundError:
        pytest.skip("this system has no time zone database")
    schedule = cron.Schedule(["15", "*", "*", "*", "*"], zone)
    now = datetime.datetime(2025, 10, 5, 1, 15, tzinfo=zone).timestamp()
    local = datetime.datetime.fromtimestamp(schedule.next_time(now), zone)
    assert (local.hour, local.minute) == (3, 15)


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ("*/20 12 * * *", ["01-01 12:00", "01-01 12:20", "01-01 12:40", "01-02 12:00"]),
        ("5/25 0 2 * *", ["01-02 00:05", "01-02 00:30", "01-02 00:55", "02-02 00:05"]),
        ("0 9-17/4 * * *", ["01-01 09:00", "01-01 13:00", "01-01 17:00", "01-02 09:00"]),
        ("0 0 1,15 3 *", ["03-01 00:00", "03-15 00:00"]),
        ("0 0 29 2 *", ["02-29 00:00"]),
        ("0 0 * * 7", ["01-05 00:00", "01-12 00:00"]),
        ("0 0 * * 0", ["01-05 00:00", "01-12 00:00"]),
        ("0 0 * * 1-5", ["01-01 00:00", "01-02 00:00", "01-03 00:00", "01-06 00:00"]),
        ("0 0 13 * 5", ["01-03 00:00", "01-10 00:00", "01-13 00:00", "01-17 00:00"]),
        ("0 0 */10 * 3", ["01-01 00:00", "05-21 00:00"]),
    ],
)
def test_fields(cron, fields, expected):
    schedule = cron.Schedule(fields.split(), datetime.UTC)
    now = datetime.datetime(2024, 12, 31, 23, 59, 59, tzinfo=datetime.UTC).timestamp()
    found = []
    for _ in expected:
        now = schedule.next_time(now)
        found.append(datetime.datetime.fromtimestamp(now, datetime.UTC).strftime("%m-%d %H:%M"))
    assert found == expected


@pytest.mark.parametrize(
    "field", ["60", "-1", "5-3", "*/0", "x", "", "1,", "1-2-3", "1/", "*5", "99999"]
)
def test_bad_fields(cron, field):
    with pytest.raises(ValueError):
        cron.parse(field, 0, 59)


def test_bad_crontab(run_example, tmp_path):
    crontab = tmp_path / "crontab"
    for text, complaint in (
        ("# fine\n\n61 * * * * x\n", "line 3: '61' is not within 0-59"),
        ("* * * * *\n", "line 1: five fields and a command"),
        ("@reboot\n", "line 1: five fields and a command"),
        ("0 0 31 2 * x\n", "line 1: there is no such day"),
    ):
        crontab.write_text(text)
        assert complaint in run_example("cron.py", crontab).ends(1)
    assert "unknown time zone" in run_example("cron.py", "--zone", "No/Where", crontab).ends(2)
    assert "No such file" in run_example("cron.py", tmp_path / "missing").ends(2)


def test_jobs_run_and_are_ended(run_example, tmp_path):
    crontab, go = tmp_path / "crontab", tmp_path / "go"
    os.mkfifo(go)
    crontab.write_text(
        "0 0 1 1 * echo not today\n"
        "@reboot echo job $$; exec tail -f /dev/null\n"
        f"@reboot cat {go}; exit 3\n"
    )
    example = run_example("cron.py", crontab)
    pid = int(example.expect(r"^job (\d+)")[1])
    go.write_text("the other\n")
    example.expect("^the other$")
    example.expect("ended with status 3")
    assert "ended with status -15" in example.end(signal.SIGTERM)
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_nothing_left_to_run(run_example, tmp_path):
    crontab = tmp_path / "crontab"
    crontab.write_text("@reboot echo done\n")
    assert "done\n" in run_example("cron.py", crontab).ends()


# The days around both changes in no time: the loop's clock jumps from job to job.
DRIVER = """
import datetime, zoneinfo
import cron, everloop

start, days, line = datetime.datetime.fromisoformat(sys.argv[1]), int(sys.argv[2]), sys.argv[3]

class Cron(cron.Cron):
    def on_time(self, watcher, revents):
        print("at", datetime.datetime.fromtimestamp(self.loop.now()).strftime("%d %H:%M"))
        super().on_time(watcher, revents)

with everloop.default_loop() as loop:
    loop.clock = everloop.ManualClock(wall=start.timestamp())
    jobs = Cron(loop, cron.read_crontab([line]))
    jobs.start()
    loop.timer(86400.0 * days, 0.0, lambda watcher, revents: jobs.end()).start()
    loop.start()
"""


@pytest.mark.parametrize(
    ("start", "line", "expected"),
    [
        ("2025-03-29T12:00+00:00", "0 0 * * * true", ["30 00:00", "31 00:00", "01 00:00"]),
        ("2025-10-25T12:00+00:00", "0 0 * * * true", ["26 00:00", "27 00:00", "28 00:00"]),
        ("2025-03-29T00:00+00:00", "30 2 * * * true", ["29 02:30", "30 03:30", "31 02:30"]),
        ("2025-10-25T12:00+00:00", "30 2 * * * true", ["26 02:30", "27 02:30", "28 02:30"]),
    ],
)
def test_days_in_no_time(run_driver, start, line, expected):
    environment = {**os.environ, "TZ": POSIX_BERLIN, "PYTHONUNBUFFERED": "1"}
    output = run_driver(DRIVER, start, 3, line, env=environment).ends()
    assert [text[3:] for text in output.splitlines() if text.startswith("at ")] == expected
