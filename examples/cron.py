"""Runs commands at the times that a crontab gives.

Shows Scheduler watchers, whose next time is worked out by a function of one's own, and
Child watchers. A line of the crontab has five fields (minute, hour, day of the month,
month, day of the week), each a number, a range, a list or * with or without a /step, and
a command for the shell; @reboot in place of the fields runs it at the start.

    python examples/cron.py crontab.txt
    python examples/cron.py --zone Europe/Berlin crontab.txt

Times are local. Across daylight-saving changes, a job of certain hours runs once on every
day, even if its time is skipped or comes twice; a job of every hour goes by the clock.

Ctrl-C or SIGTERM ends it, and the jobs that run.
"""

import argparse
import contextlib
import dataclasses
import itertools
import logging
import os
import pathlib
import re
import signal
import subprocess
import zoneinfo
from collections.abc import Iterator
from datetime import date, datetime, timedelta, tzinfo

import everloop

RANGES = {"minute": (0, 59), "hour": (0, 23), "day": (1, 31), "month": (1, 12), "weekday": (0, 7)}
LONGEST_GAP = (8 * 366 + 1) * 86400.0  # from 29 February 2096 to that of 2104, and more


class Schedule:
    """The five fields of a crontab line; zone None is that of the system."""

    def __init__(self, fields: list[str], zone: tzinfo | None = None) -> None:
        sets = [parse(field, *RANGES[name]) for field, name in zip(fields, RANGES, strict=True)]
        self.minutes, self.hours, self.days, self.months, weekdays = sets
        self.weekdays = {weekday % 7 for weekday in weekdays}  # Sunday is both 0 and 7
        # Two restrictions on the day widen each other: that is how cron has always been.
        self.either_day = not (fields[2].startswith("*") or fields[4].startswith("*"))
        self.zone = zone

    def next_time(self, now: float) -> float:
        """The first time after now, in seconds since 1970."""
        return self.next_by_clock(now) if len(self.hours) == 24 else self.next_by_day(now)

    def next_by_clock(self, now: float) -> float:
        """For every hour: look at what the clock will show, minute by minute."""
        time = now // 60 * 60 + 60
        while time < now + LONGEST_GAP:
            local = datetime.fromtimestamp(time, self.zone)
            right_day = self.includes(local.date())
            if right_day and local.minute in self.minutes:
                return time
            time += 60 if right_day else 60 * (60 - local.minute)
        raise ValueError("there is no such day")

    def next_by_day(self, now: float) -> float:
        """For certain hours: look at the times of each day."""
        day = datetime.fromtimestamp(now, self.zone).date()
        last = datetime.fromtimestamp(now + LONGEST_GAP, self.zone).date()
        while day < last:
            if self.includes(day):
                later = [time for time in self.times(day) if time > now]
                if later:
                    return min(later)
            day += timedelta(days=1)
        raise ValueError("there is no such day")

    def includes(self, day: date) -> bool:
        in_month = day.day in self.days
        in_week = day.isoweekday() % 7 in self.weekdays
        right_day = in_month or in_week if self.either_day else in_month and in_week
        return day.month in self.months and right_day

    def times(self, day: date) -> Iterator[float]:
        """The times on a day: of two with the same name the first; one that is skipped comes
        as long after midnight as on other days, so they need not be in order."""
        for hour, minute in itertools.product(self.hours, self.minutes):
            yield datetime(day.year, day.month, day.day, hour, minute, tzinfo=self.zone).timestamp()


def parse(field: str, low: int, high: int) -> set[int]:
    """The numbers that a field stands for."""
    numbers: set[int] = set()
    for part in field.split(","):
        match = re.fullmatch(r"(?:\*|(\d+)(?:-(\d+))?)(?:/(\d+))?", part)
        if match is None:
            raise ValueError(f"{part!r} is not a number, range or step")
        first, last, step = match.groups()
        start = low if first is None else int(first)
        # A lone number with a step goes up to the end: 5/15 is 5-59/15.
        stop = int(last or (high if first is None or step else first))
        if not low <= start <= stop <= high or (step and int(step) == 0):
            raise ValueError(f"{part!r} is not within {low}-{high}")
        numbers.update(range(start, stop + 1, int(step or 1)))
    return numbers


@dataclasses.dataclass
class Job:
    schedule: Schedule | None  # None: at the start
    command: str


def read_crontab(lines: list[str], zone: tzinfo | None = None) -> list[Job]:
    """The jobs in a crontab; ValueError names the line that is wrong."""
    jobs = []
    for number, line in enumerate(lines, 1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        at_start = line.split()[0] == "@reboot"
        *fields, command = line.split(None, 1 if at_start else 5)
        if len(fields) != (1 if at_start else 5):
            raise ValueError(f"line {number}: five fields and a command are needed")
        try:
            job = Job(None if at_start else Schedule(fields, zone), command.strip())
            if job.schedule is not None:
                job.schedule.next_time(everloop.time())
        except ValueError as error:
            raise ValueError(f"line {number}: {error}") from None
        jobs.append(job)
    return jobs


class Cron:
    """Runs jobs until it is ended."""

    def __init__(self, loop: everloop.Loop, jobs: list[Job]) -> None:
        self.loop = loop
        self.jobs = jobs
        self.running: dict[int, subprocess.Popen[bytes]] = {}
        self.schedulers = [
            loop.scheduler(self.next_time, self.on_time, job) for job in jobs if job.schedule
        ]

    def start(self) -> None:
        for scheduler in self.schedulers:
            scheduler.start()
        for job in self.jobs:
            if job.schedule is None:
                self.run(job)

    def next_time(self, watcher: everloop.Scheduler, now: float) -> float:
        """Asked for after each time, and again when the system's clock was set."""
        schedule: Schedule = watcher.data.schedule
        return schedule.next_time(now)

    def on_time(self, watcher: everloop.Scheduler, revents: int) -> None:
        self.run(watcher.data)

    def run(self, job: Job) -> None:
        try:
            # In a process group of its own, so that all of a job can be ended.
            process = subprocess.Popen(
                job.command, shell=True, stdin=subprocess.DEVNULL, process_group=0
            )
        except OSError as error:
            logging.error("can't run %s: %s", job.command, error.strerror)
            return
        logging.info("%d runs %s", process.pid, job.command)
        self.running[process.pid] = process
        self.loop.child(process.pid, False, self.on_ended).start()

    def on_ended(self, watcher: everloop.Child, revents: int) -> None:
        watcher.stop()
        # The watcher has taken the status, so Popen has to be told of it.
        self.running.pop(watcher.pid).returncode = watcher.returncode
        logging.info("%d ended with status %s", watcher.pid, watcher.returncode)

    def end(self) -> None:
        """Start no more jobs and end those that run: then nothing keeps the loop."""
        for scheduler in self.schedulers:
            scheduler.stop()
        for pid in self.running:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(pid, signal.SIGTERM)


def time_zone(name: str) -> tzinfo:
    try:
        return zoneinfo.ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        raise argparse.ArgumentTypeError(f"unknown time zone {name!r}") from None


def main() -> None:
    parser = argparse.ArgumentParser(description="Run commands at the times of a crontab.")
    parser.add_argument("crontab", type=pathlib.Path)
    parser.add_argument("--zone", type=time_zone, help="such as Europe/Berlin")
    args = parser.parse_args()
    try:
        jobs = read_crontab(args.crontab.read_text().splitlines(), args.zone)
    except OSError as error:
        parser.error(str(error))
    except ValueError as error:
        raise SystemExit(f"{args.crontab}: {error}") from None
    logging.basicConfig(format="%(asctime)s %(message)s", level=logging.INFO)
    # The default loop watches children on every system; other loops need a recent kernel.
    with everloop.default_loop() as loop:
        cron = Cron(loop, jobs)
        for signum in (signal.SIGINT, signal.SIGTERM):
            loop.signal(signum, lambda watcher, revents: cron.end()).start()
            loop.unref()  # these two watchers alone are no reason to go on
        cron.start()
        loop.start()


if __name__ == "__main__":
    main()
