"""``python -m everloop``: what everloop found on this system; ``top`` and ``watch``: on a loop."""

import argparse
import json
import sys

from everloop.features import collect


def main(argv: list[str] | None = None) -> int:
    """Do what the arguments say; returns the exit status."""
    options = parser().parse_args(argv)
    if options.command == "watch":
        from everloop.monitoring.watch import watch

        return watch(options.where, options.json, options.interval, options.count)
    if options.command == "top":
        return show_top(options)
    report = collect()
    if options.json:
        print(json.dumps(report, indent=2))
    else:
        print_plain(report)
    return 0


def parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(
        prog="python -m everloop",
        description="Tell what everloop found on this system, or what a monitored loop does.",
    )
    made.add_argument("--json", action="store_true", help="print the report as JSON")
    commands = made.add_subparsers(dest="command", metavar="top | watch")
    top = commands.add_parser("top", help="a live view of a loop that has a monitor")
    top.add_argument("--svg", metavar="FILE", help="write a picture of the view instead")
    watch = commands.add_parser("watch", help="the same line by line")
    watch.add_argument("--json", action="store_true", help="all that there is, as JSON")
    for command in (top, watch):
        command.add_argument("where", metavar="SOCKET", help="path or port of the monitor")
        command.add_argument("--interval", type=float, default=1.0, help="seconds between looks")
        command.add_argument("--count", type=int, help="end after so many looks")
    return made


def show_top(options: argparse.Namespace) -> int:
    from everloop.monitoring.client import NoAnswer

    try:
        from everloop.monitoring.top import picture, top

        if options.svg:
            return picture(options.where, options.interval, options.svg)
        return top(options.where, options.interval, options.count)
    except NoAnswer as error:
        print(f"everloop: {error}", file=sys.stderr)
        return 1


def print_plain(report: dict) -> None:
    print(f"everloop {report['version']} (interface of libev {report['abi']})")
    print(f"Python {report['python']} on {report['platform']}")
    print("\nbackends   compiled  works  recommended  embeddable")
    for name, facts in report["backends"].items():
        marks = [
            "yes" if facts[key] else "no"
            for key in ("compiled", "works", "recommended", "embeddable")
        ]
        print(f"  {name:<9}{marks[0]:<10}{marks[1]:<7}{marks[2]:<13}{marks[3]}")
    print("\nkernel features")
    for name, found in report["kernel"].items():
        print(f"  {name:<14}{'yes' if found else 'no'}")


if __name__ == "__main__":
    sys.exit(main())
