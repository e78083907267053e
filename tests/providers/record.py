"""Record what the vendors' SDKs send: ``make goldens``, or ``python -m tests.providers.record``.

Each call of ``sdks.CASES`` is made on the loopback and written to ``golden/``. With ``--check``
nothing is written: what the installed SDKs send is compared with what is recorded, releases
apart, and a difference is exit code 1. So it goes with botocore's signatures.
"""

from __future__ import annotations

import argparse
import difflib
import json
import sys

from .goldens import GOLDEN, Golden, installed, load, record, text
from .sdks import CASES
from .signed import SIGNATURES, botocore_signatures, recorded_signatures

__all__ = ["main"]


def changes(before: Golden, after: Golden) -> str:
    """The lines that differ; "" if only the SDK's release does."""
    lines = difflib.unified_diff(
        text({**before, "sdk": after["sdk"]}).splitlines(),
        text(after).splitlines(),
        "recorded",
        "sent",
        n=1,
        lineterm="",
    )
    return "\n".join(lines)


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", help="these calls alone")
    parser.add_argument("--check", action="store_true", help="compare, and write nothing")
    options = parser.parse_args(arguments)
    names: list[str] = options.names or list(CASES)
    unknown = set(names) - CASES.keys()
    if unknown:
        parser.error(f"no call is named {', '.join(sorted(unknown))}; there are {', '.join(CASES)}")
    differ = 0
    for name in names:
        case = CASES[name]
        if installed(case) is None:
            print(f"{name}: {case.sdk} is not installed: pip install 'sans-io-stream[sdks]'")
            differ += 1
            continue
        found = record(case)
        if options.check:
            changed = changes(load(name), found)
            differ += bool(changed)
            print(f"{name}: {found['sdk']} {'differs' if changed else 'sends what is recorded'}")
            print(changed, end="\n" if changed else "")
        else:
            GOLDEN.mkdir(exist_ok=True)
            (GOLDEN / f"{name}.json").write_text(text(found), "utf-8")
            print(f"{name}: recorded {found['sdk']}")
    if not options.names:
        differ += record_signatures(check=options.check)
    return 1 if differ else 0


def record_signatures(*, check: bool) -> bool:
    """Do the same with botocore's signatures; whether they differ."""
    found = botocore_signatures()
    if not check:
        SIGNATURES.write_text(json.dumps(found, indent=2) + "\n", "utf-8")
    same = recorded_signatures() == found
    print(f"signatures: botocore {'signs as recorded' if same else 'signs otherwise'}")
    return not same


if __name__ == "__main__":
    sys.exit(main())
