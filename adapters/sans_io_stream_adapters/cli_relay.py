"""``sans-io-stream relay``: the relay as a program; ``docs/relay-running.md`` describes it.

Standard output is data: one JSON object with ``--json``, the lines to try with ``--demo``. Logs
and what people are told go to standard error.
"""

from __future__ import annotations

import argparse
import contextlib
import sys
from typing import TYPE_CHECKING, Any

import msgspec

from .cli_output import UsageError, has_colours, output, tell

if TYPE_CHECKING:
    import socket

    from .relay.config import RelayConfig

__all__ = ["DESCRIPTION", "HELP", "add_options", "run"]

HOST, PORT = "127.0.0.1", 8700
HELP = "serve streams that outlive their connections"
DESCRIPTION = (
    "Stand between clients and providers: each stream is taken once, written down before anybody "
    "sees it, and read by whoever falls off and comes back. Ctrl-C or SIGTERM ends it in order, "
    "Ctrl-C once more at once."
)
BOLD, RESET = "\x1b[1m", "\x1b[0m"


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("--config", metavar="FILE", help="the configuration, in TOML")
    source.add_argument(
        "--demo",
        action="store_true",
        help="without any: a server on the loopback stands for the provider",
    )
    parser.add_argument("--host", help=f"where to listen, whatever the file says ({HOST})")
    parser.add_argument("--port", type=int, help=f"at which port; 0 is one that is free ({PORT})")
    parser.add_argument(
        "--check", action="store_true", help="say whether the configuration is right, and exit"
    )
    parser.add_argument("--quiet", action="store_true", help="log no requests")
    parser.add_argument(
        "--log-format",
        choices=("plain", "json"),
        help="how to log, whatever the file says: for people, or one JSON object a line (plain)",
    )
    parser.add_argument("--json", action="store_true", help="say what is served as one JSON object")


def run(options: argparse.Namespace) -> int:
    """Serve, or check. Returns 0; raises ``UsageError``, and ``KeyboardInterrupt`` behind an end
    by Ctrl-C."""
    with contextlib.ExitStack() as stack:
        if options.demo:
            from .relay import demo

            server = stack.enter_context(demo.provider())
            config = checked(
                lambda: demo.config_for(
                    server, options.host or HOST, PORT if options.port is None else options.port
                )
            )
        else:
            config = configured(options)
        if options.log_format is not None:
            config = msgspec.structs.replace(config, log_format=options.log_format)
        if options.check:
            show(config, None, options)
            return 0
        serve(config, options)
    return 0


def configured(options: argparse.Namespace) -> RelayConfig:
    """The configuration of the file, as far as no option says otherwise."""
    from .relay.loading import load_config

    try:
        config = load_config(options.config)
    except FileNotFoundError:
        raise UsageError(
            f"there is no file {options.config!r}: give the path of a configuration, or try --demo"
        ) from None
    except OSError as error:
        raise UsageError(f"cannot read {options.config!r}: {error.strerror}") from None
    except ValueError as error:
        raise UsageError(str(error)) from None
    told = {"host": options.host, "port": options.port}
    told = {name: value for name, value in told.items() if value is not None}
    return checked(lambda: msgspec.structs.replace(config, **told))


def checked(make: Any) -> RelayConfig:
    """A configuration, its ``ValueError`` told as the caller's."""
    try:
        config: RelayConfig = make()
    except ValueError as error:
        raise UsageError(str(error)) from None
    return config


def serve(config: RelayConfig, options: argparse.Namespace) -> None:
    """Listen, and serve until told to end."""
    try:
        from .relay import serving
    except ModuleNotFoundError as missing:
        if missing.name not in ("anyio", "uvicorn"):
            raise
        raise UsageError(
            f"{missing.name} is not installed: pip install 'sans-io-stream[relay]'"
        ) from None
    from .relay.stores import StoreError

    try:
        sock = serving.listen(config.host, config.port)
    except OSError as error:
        raise UsageError(
            f"cannot listen at {config.host}, port {config.port}: {error.strerror}; "
            "--port 0 takes a free one"
        ) from None
    seconds = config.limits.drain_seconds
    with sock:
        try:
            serving.serve(
                config,
                sock,
                ready=lambda: show(config, sock, options),
                ending=lambda: tell(
                    f"ending: streams may go on for {seconds:g} s; Ctrl-C ends them at once"
                ),
                quiet=options.quiet,
            )
        except StoreError as error:
            raise UsageError(f"cannot keep streams in {config.store_shown!r}: {error}") from None


def show(config: RelayConfig, sock: socket.socket | None, options: argparse.Namespace) -> None:
    """What is served, and where."""
    from .relay import demo

    port = config.port if sock is None else sock.getsockname()[1]
    host = f"[{config.host}]" if ":" in config.host else config.host
    url = f"http://{host}:{port}"
    lines = demo.curl_lines(url) if options.demo else ()
    out = output()
    if options.json:
        row: dict[str, Any] = {
            "url": url,
            "upstreams": [upstream.name for upstream in config.upstreams],
            "models": config.models(),
            "keys": [key.name for key in config.keys],
            "store": config.store_shown,
        }
        if lines:
            row["try"] = lines
        out.write(msgspec.json.encode(row) + b"\n")
    elif sock is None:
        out.write(f"{options.config or 'the demo'}: a relay at {url} for ".encode())
        out.write(f"{', '.join(upstream.name for upstream in config.upstreams)}\n".encode())
    else:
        tell(f"a relay at {url}; Ctrl-C ends it")
        if lines:
            before, after = (BOLD, RESET) if has_colours(sys.stdout) else ("", "")
            told = "A stream whose client falls off, and the rest of it:\n\n"
            told += "".join(f"  {before}{line}{after}\n" for line in lines)
            out.write(f"\n{told}\n".encode())
    out.flush()
