"""The command line: ``sans-io-stream decode``, ``tour``, ``demo`` and ``relay``; ``docs/cli.md``
describes it.

The rules of this file: standard output is data, standard error is for people. Everything is
written while the bytes still come, once for each read. What a model says reaches a terminal
only with its control characters made visible; a pipe gets it as it is.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import io
import itertools
import os
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, BinaryIO

import msgspec

from sans_io_stream.capture import Capture, CaptureReader, is_capture
from sans_io_stream.decoder import StreamDecoder
from sans_io_stream.errors import CaptureError, Outcome, UnknownDialectError
from sans_io_stream.policy import Limits
from sans_io_stream.transcript import Transcript

from . import cli_relay, demo
from .cli_output import (
    PROGRAM,
    EventOutput,
    TextOutput,
    UsageError,
    closed,
    drop,
    flush_output,
    harmless,
    harmless_json,
    has_colours,
    output,
    tell,
)

if TYPE_CHECKING:
    from sans_io_stream.events import Event, StreamEnd

__all__ = ["main"]

EXIT_CODES: dict[Outcome, int] = {"complete": 0, "interrupted": 3, "cancelled": 3, "failed": 4}
UNEXPECTED, USAGE, INTERRUPTED_BY_USER, BROKEN_PIPE = 1, 2, 130, 141
EXIT_HELP = """\
exit codes:
  0    the answer is complete (tour: every stream agrees; demo: nothing lost or doubled;
       relay: stopped by SIGTERM, all that ran is sealed)
  1    something unexpected: a bug, a full disk, a tour that disagrees, a lossy demo
  2    a wrong option or configuration, a file that cannot be read, a damaged capture, a port
       that is taken
  3    interrupted: the body ended before the provider said that it is complete
  4    failed: the provider told an error, or the bytes break the wire format
  130  Ctrl-C
  141  whoever read the output has gone
"""
READ_SIZE = 64 * 1024
MOST_CUTS = 40
PATIENCE = 1.0
"""Seconds of silence before progress is worth showing, and between two showings 1/4 of it."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code."""
    try:
        code = _run(argv)
        flush_output()
        return code
    except UsageError as error:
        tell(str(error))
        return USAGE
    except KeyboardInterrupt:
        return INTERRUPTED_BY_USER
    except BrokenPipeError:
        drop(sys.stdout)
        return BROKEN_PIPE
    except OSError as error:
        # What fails to be read is told where it is read: this is the output.
        drop(sys.stdout)
        tell(f"cannot write the output: {error.strerror or error}")
        return UNEXPECTED


def _run(argv: Sequence[str] | None) -> int:
    try:
        options = _parser().parse_args(argv)
    except SystemExit as request:
        return request.code if isinstance(request.code, int) else USAGE
    if options.command == "tour":
        return _tour(options.json)
    if options.command == "demo":
        return _demo(options)
    if options.command == "relay":
        return cli_relay.run(options)
    return _decode(options)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog=PROGRAM,
        description="Turn the bytes of an LLM's streamed answer into normalized events.",
        epilog=EXIT_HELP,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"{PROGRAM} {_version()}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)

    decode = commands.add_parser(
        "decode",
        help="turn a response body or a capture into events",
        description=(
            "Decode a response body, or a capture (known by its first line), and print its "
            "events while the bytes come: one JSON object a line."
        ),
        epilog=f"  curl -sN https://... | {PROGRAM} decode --text -\n\n{EXIT_HELP}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    decode.add_argument("file", metavar="FILE", help="a body or a capture; - is standard input")
    decode.add_argument("--dialect", help="the protocol; found from the first records if not given")
    decode.add_argument("--content-type", metavar="TYPE", help="the header of the response")
    decode.add_argument(
        "--status", type=int, metavar="CODE", help="the HTTP status of the response"
    )
    shape = decode.add_mutually_exclusive_group()
    shape.add_argument("--text", action="store_true", help="print the answer instead of its events")
    shape.add_argument(
        "--raw", action="store_true", help="print each record, too, before its own events"
    )
    decode.add_argument(
        "--summary", action="store_true", help="at the end, outcome and usage on standard error"
    )
    decode.add_argument("--json", action="store_true", help="the summary as one JSON object")

    tour = commands.add_parser(
        "tour",
        help="see one answer arrive in eight dialects",
        description="Decode the same answer from eight protocols, cut into awkward reads.",
    )
    tour.add_argument("--json", action="store_true", help="the table as one JSON array")

    shown = commands.add_parser(
        "demo",
        help="see an answer survive the cuts of its connections",
        description=(
            "Stream an answer from a server on the loopback that cuts it, the first time in the "
            "middle of a character, and compare what arrived with what was sent."
        ),
        epilog="Exits with 0 only if they are equal.",
    )
    shown.add_argument("--runtime", choices=demo.RUNTIMES, default="asyncio")
    shown.add_argument("--dialect", choices=demo.DIALECTS, default="openai-responses")
    shown.add_argument("--cuts", type=int, default=3, metavar="N", help="how often (3)")
    shown.add_argument("--seed", type=int, default=13, metavar="N", help="where it is cut (13)")
    shown.add_argument("--no-resume", action="store_true", help="for the contrast: give up at once")
    shown.add_argument("--json", action="store_true", help="the account as one JSON object")

    relay = commands.add_parser(
        "relay",
        help=cli_relay.HELP,
        description=cli_relay.DESCRIPTION,
        epilog=EXIT_HELP,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    cli_relay.add_options(relay)
    return parser


def _version() -> str:
    try:
        return importlib.metadata.version(PROGRAM)
    except importlib.metadata.PackageNotFoundError:
        return "(not installed)"


# ---- decode


def _decode(options: argparse.Namespace) -> int:
    given: dict[str, Any] = {
        "dialect": options.dialect,
        "content_type": options.content_type,
        "status": options.status,
        "raw": options.raw or None,
    }
    given = {name: value for name, value in given.items() if value is not None}
    if options.json and not options.summary:
        raise UsageError("--json shapes the summary: add --summary (events are JSON anyway)")
    transcript = Transcript(Limits(transcript_bytes=sys.maxsize))
    out = TextOutput() if options.text else EventOutput()
    try:
        decoding = _Decoding(_reads(options.file), given)
        for events in decoding:
            out.write(events)
            if options.summary:
                for event in events:
                    transcript.add(event)
            elif events:
                transcript.add(events[-1])
    except UnknownDialectError as error:
        raise UsageError(f"{error}; give one of them as --dialect") from None
    except CaptureError as error:
        raise UsageError(f"{options.file}: {error}") from None
    finally:
        out.close()
    end = transcript.end
    assert end is not None, "a decoder ends with StreamEnd"
    if options.summary:
        _tell_summary(transcript, decoding.dialect, options.json)
    elif options.text and end.outcome != "complete":
        tell(_said(end))
    if options.text and decoding.dialect == "records" and options.dialect is None:
        tell("the records are of no known dialect: name one with --dialect, or leave out --text")
    return EXIT_CODES[end.outcome]


def _reads(name: str) -> Iterator[bytes]:
    """The reads of a file, each returned as soon as there is one."""
    if name == "-":
        if sys.stdin is None:  # pyright: ignore[reportUnnecessaryComparison]
            raise UsageError("standard input is closed: give the path of a body or a capture")
        if sys.stdin.isatty():
            tell("reading from the terminal; Ctrl-D ends the input, Ctrl-C gives up")
        # Below the buffer, which would wait until it is full.
        raw = getattr(sys.stdin.buffer, "raw", sys.stdin.buffer)
        yield from _until_empty(raw, "standard input")
        return
    try:
        file = open(name, "rb", buffering=0)  # noqa: SIM115
    except FileNotFoundError:
        raise UsageError(
            f"there is no file {name!r}: give the path of a body or a capture, or - for standard "
            "input"
        ) from None
    except OSError as error:
        raise UsageError(f"cannot read {name!r}: {error.strerror}") from None
    with file:
        reads = _until_empty(file, repr(name))
        yield from _with_progress(reads, os.fstat(file.fileno()).st_size)


def _until_empty(file: BinaryIO, name: str) -> Iterator[bytes]:
    while True:
        try:
            data = file.read(READ_SIZE)
        except OSError as error:
            raise UsageError(f"cannot read {name}: {error.strerror}") from None
        if not data:
            return
        yield data


def _with_progress(reads: Iterator[bytes], size: int) -> Iterator[bytes]:
    """On a terminal whose standard output goes elsewhere, say how far long work has come."""
    if sys.stderr is None or not sys.stderr.isatty() or sys.stdout.isatty():
        yield from reads
        return
    done, shown, due = 0, False, time.monotonic() + PATIENCE
    for data in reads:
        yield data
        done += len(data)
        if time.monotonic() >= due:
            shown, due = True, time.monotonic() + PATIENCE / 4
            sys.stderr.write(f"\r{done / 1e6:,.0f} of {size / 1e6:,.0f} MB")
            sys.stderr.flush()
    if shown:
        sys.stderr.write("\r\x1b[K")


class _Decoding:
    """The events of a body or of a capture, a list for each read."""

    def __init__(self, reads: Iterator[bytes], options: dict[str, Any]) -> None:
        # A dialect that does not exist is told before anything is read.
        self._decoder = StreamDecoder(**options)
        self._options = options
        self._reads = reads

    @property
    def dialect(self) -> str | None:
        """The dialect in use, once it is known."""
        return self._decoder.dialect

    def __iter__(self) -> Iterator[list[Event]]:
        beginning, recorded = b"", None
        for data in self._reads:
            beginning += data
            recorded = is_capture(beginning)
            if recorded is not None:
                break
        if recorded:
            return self._replay(beginning)
        return self._receive(beginning)

    def _receive(self, beginning: bytes) -> Iterator[list[Event]]:
        yield self._decoder.receive_data(beginning)
        for data in self._reads:
            yield self._decoder.receive_data(data)
        yield self._decoder.receive_eof()

    def _replay(self, beginning: bytes) -> Iterator[list[Event]]:
        reader, begun = CaptureReader(), False
        for line in _lines(beginning, self._reads):
            reads = reader.line(line)
            if not begun:
                begun, head = True, reader.head
                known: dict[str, Any] = {
                    "dialect": head.dialect,
                    "content_type": head.headers.get("content-type"),
                    "status": head.status,
                }
                self._decoder = StreamDecoder(**(known | self._options))
            for read in reads:
                yield self._decoder.receive_data(read.data)
        failure = Capture(end=reader.end, error=reader.error).failure
        yield self._decoder.receive_eof(truncated=reader.end != "eof", error=failure)


def _lines(beginning: bytes, reads: Iterable[bytes]) -> Iterator[bytes]:
    """Lines as they become whole; the last one as it is."""
    pieces: list[bytes] = []
    for data in itertools.chain([beginning], reads):
        *whole, rest = data.split(b"\n")
        for line in whole:
            yield b"".join([*pieces, line])
            pieces.clear()
        pieces.append(rest)
    yield b"".join(pieces)


# ---- what people are told


def _said(end: StreamEnd) -> str:
    return f"{end.outcome}: {end.error}" if end.error is not None else end.outcome


def _tell_summary(transcript: Transcript, dialect: str | None, as_json: bool) -> None:
    end, usage = transcript.end, transcript.usage
    assert end is not None
    if sys.stderr is None:  # pyright: ignore[reportUnnecessaryComparison]
        raise closed("error")
    counts = ("prompt", "completion", "total", "cached", "cache_write", "reasoning")
    known = {name: getattr(usage, f"{name}_tokens", None) for name in counts}
    known = {name: count for name, count in known.items() if count is not None}
    if as_json:
        calls = [{"name": c.name, "arguments": c.arguments} for c in transcript.tool_calls]
        summary = {
            "outcome": end.outcome,
            "error": end.error,
            "finish_reason": transcript.finish_reason,
            "raw_finish_reason": transcript.raw_finish_reason,
            "dialect": dialect,
            "model": transcript.model,
            "response_id": transcript.response_id,
            "usage": {f"{name}_tokens": count for name, count in known.items()} or None,
            "tool_calls": calls,
        }
        sys.stderr.write(harmless_json(msgspec.json.encode(summary)).decode() + "\n")
        return
    tokens = ", ".join(f"{count} {name.replace('_', ' ')}" for name, count in known.items())
    rows = [
        ("outcome", _said(end)),
        ("finish", transcript.finish_reason or "none told"),
        ("dialect", dialect or "not known"),
        ("model", transcript.model),
        ("response", transcript.response_id),
        ("tokens", tokens or "none told"),
        *(("call", f"{call.name}({call.arguments})") for call in transcript.tool_calls),
    ]
    for name, value in rows:
        if value:
            sys.stderr.write(f"{name:<9} {harmless(value)}\n")


# ---- tour


def _tour(as_json: bool) -> int:
    from . import tour

    stops = tour.visit()
    out = output()
    if as_json:
        out.write(msgspec.json.encode([stop.row() for stop in stops]) + b"\n")
    else:
        table = tour.table(stops, colours=has_colours(sys.stdout))
        out.write(table.encode(sys.stdout.encoding, "replace"))
    return 0 if tour.agree(stops) else UNEXPECTED


# ---- demo


def _demo(options: argparse.Namespace) -> int:
    from .demo.run import run
    from .demo.show import shown_on, table

    if not 0 <= options.cuts <= MOST_CUTS:
        raise UsageError(f"--cuts is a number from 0 to {MOST_CUTS}, not {options.cuts}")
    out, colours = output(), has_colours(sys.stdout)
    text = io.TextIOWrapper(out, sys.stdout.encoding, "replace", write_through=True)
    show = shown_on(text, colours=colours)
    try:
        report = run(
            options.runtime,
            options.dialect,
            cuts=options.cuts,
            seed=options.seed,
            resume=not options.no_resume,
            show=None if options.json else show,
        )
        if options.json:
            text.write(msgspec.json.encode(report.row()).decode() + "\n")
        else:
            text.write(f"\n\n{table(report, colours=colours)}")
    except ModuleNotFoundError as missing:
        if missing.name != options.runtime:
            raise
        raise UsageError(
            f"{options.runtime} is not installed: pip install 'sans-io-stream[{options.runtime}]', "
            "or choose another --runtime"
        ) from None
    finally:
        text.detach()
    return 0 if report.equal and report.outcome == "complete" else UNEXPECTED
