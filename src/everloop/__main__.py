"""``python -m everloop``: what everloop is and what it found on this system."""

import argparse
import json
import sys

from everloop.features import collect


def main(argv: list[str] | None = None) -> int:
    """Print the report; returns the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m everloop", description="Tell what everloop found on this system."
    )
    parser.add_argument("--json", action="store_true", help="print the report as JSON")
    options = parser.parse_args(argv)
    report = collect()
    if options.json:
        print(json.dumps(report, indent=2))
    else:
        print_plain(report)
    return 0


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
