"""The core touches no socket, file, clock, randomness, thread, environment or event loop.

Proved twice. The source may import only what stands in a list of modules that compute and
do nothing else, so that whatever is not listed has to be argued for here. And a fresh
interpreter decodes a stream under an audit hook: what the source hides, the hook sees.
"""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.sources import CORE, REPO, core_files, imports, label, module_name, tree

OURS = "sans_io_stream"
THIRD_PARTY = {"h11", "msgspec"}

# Modules that compute. `email.utils` is not among them though it parses dates: it loads
# socket and random. `datetime` is, without its clocks: see CLOCKS.
STDLIB = {
    "__future__", "_typeshed", "abc", "array", "base64", "binascii", "bisect", "calendar",
    "codecs", "collections", "collections.abc", "contextlib", "copy", "dataclasses", "datetime",
    "decimal",
    "enum", "fractions", "functools", "hashlib", "heapq", "hmac", "html", "ipaddress",
    "itertools", "json", "keyword", "math", "numbers", "operator", "re", "string", "struct",
    "textwrap", "types", "typing", "unicodedata", "urllib.parse", "warnings", "weakref",
    "zlib",
    # A lock is no thread: see docs/decisions/0009-a-lock-in-the-core.md.
    "_thread.allocate_lock",
}  # fmt: skip

# The one door to the outside: imported when a file of captures is opened, never before.
# See docs/decisions/0002-captures-open-files.md.
DOORS = {
    "sans_io_stream/capture/recorded.py": {"sans_io_stream_adapters.files.read_lines"},
    "sans_io_stream/capture/writer.py": {
        "sans_io_stream_adapters.files.LineFile",
        "sans_io_stream_adapters.files.monotonic",
    },
}

FORBIDDEN_CALLS = {
    "open", "input", "print", "exec", "eval", "compile", "breakpoint", "__import__",
}  # fmt: skip
CLOCKS = {"now", "utcnow", "today"}

# What decoding may make an interpreter report: none of it leaves the process.
HARMLESS_EVENTS = {
    "builtins.id", "code.__new__", "compile", "exec", "function.__new__", "gc.get_objects",
    "object.__delattr__", "object.__getattr__", "object.__setattr__", "sys._getframe",
}  # fmt: skip
# What importing may not do; that it reads its own files is the nature of importing.
FORBIDDEN_WHILE_IMPORTING = (
    "_thread.", "ctypes.", "fcntl.", "ftplib.", "glob.", "http.", "mmap.", "open", "os.chdir",
    "os.exec", "os.fork", "os.mkdir", "os.posix_spawn", "os.putenv", "os.remove", "os.rename",
    "os.spawn", "os.system", "os.unsetenv", "poplib.", "pty.", "shutil.", "signal.",
    "smtplib.", "socket.", "sqlite3.", "subprocess.", "tempfile.", "time.sleep", "urllib.",
    "webbrowser.",
)  # fmt: skip
LOOPS_AND_SOCKETS = {
    "anyio", "asyncio", "concurrent", "http.client", "logging", "multiprocessing", "random",
    "secrets", "select", "selectors", "signal", "socket", "ssl", "subprocess", "tempfile",
    "threading", "trio", "urllib.request",
}  # fmt: skip

FILES = core_files()


@pytest.mark.parametrize("path", FILES, ids=label)
def test_imports_only_what_computes(path: Path) -> None:
    strangers = [
        f"line {found.line}: {found.target}"
        for found in imports(path)
        if not (
            found.within(OURS)
            or found.module.partition(".")[0] in THIRD_PARTY
            or found.module in STDLIB
            or found.target in STDLIB
            or found.target in DOORS.get(label(path), set())
        )
    ]
    assert not strangers


@pytest.mark.parametrize("path", FILES, ids=label)
def test_calls_nothing_that_reaches_out(path: Path) -> None:
    calls = [node for node in ast.walk(tree(path)) if isinstance(node, ast.Call)]
    found = [
        f"line {call.lineno}: {call.func.id}()"
        for call in calls
        if isinstance(call.func, ast.Name) and call.func.id in FORBIDDEN_CALLS
    ]
    found += [
        f"line {call.lineno}: {ast.unparse(call.func)}()"
        for call in calls
        if isinstance(call.func, ast.Attribute)
        and call.func.attr in CLOCKS
        and ast.unparse(call.func.value).rpartition(".")[2] in {"date", "datetime"}
    ]
    assert not found


def test_only_main_is_exempt() -> None:
    exempt = set(CORE.rglob("*.py")) - set(FILES)
    assert {label(path) for path in exempt} == {"sans_io_stream/__main__.py"}
    assert len((CORE / "__main__.py").read_text("utf-8").splitlines()) <= 5


PROBE = """
import sys
heard, phase = [], "before"
def hook(event, arguments):
    if phase == "importing" and event == "open":  # reading modules is what importing is
        if str(arguments[0]).endswith((".py", ".pyc", ".so", ".pyd")) and not arguments[2] & 3:
            return
    if phase in ("importing", "decoding"):
        heard.append((phase, event, repr(arguments)[:200]))
sys.addaudithook(hook)

import importlib, json
sys.path.insert(0, sys.argv[1])
import h11, msgspec
baseline = set(sys.modules)

phase = "importing"
for name in sys.argv[2:]:
    importlib.import_module(name)
phase = "imported"
loaded = set(sys.modules) - baseline

from sans_io_stream import decode
from sans_io_stream.http import Exchange, request_bytes
from sans_io_stream.url import parse_url
from sans_io_stream.encoding import Encoder
FORMATS = (
    "native", "openai-chat", "openai-responses", "anthropic", "gemini", "ollama", "holysheep",
    "text",
)
def chunk(delta, finish="null"):
    return (b'data: {"id":"chatcmpl-1","object":"chat.completion.chunk","model":"m","choices":'
        b'[{"index":0,"delta":%b,"finish_reason":%b}]}\\n\\n' % (delta, finish.encode()))
body = b"".join([
    b": comment\\n\\n",
    chunk(b'{"role":"assistant","content":""}'),
    chunk(b'{"content":"Hello"}'),
    chunk(b'{"tool_calls":[{"index":0,"id":"c","function":{"name":"f","arguments":"{}"}}]}'),
    chunk(b"{}", '"tool_calls"'),
    b'data: {"id":"chatcmpl-1","choices":[],"usage":{"prompt_tokens":1,"completion_tokens":2,'
    b'"total_tokens":3}}\\n\\n',
    b"data: not JSON\\n\\n",
    b"data: [DONE]\\n\\n",
])
response = (b"HTTP/1.1 100 Continue\\r\\n\\r\\n"
    b"HTTP/1.1 200 OK\\r\\nTransfer-Encoding: chunked\\r\\n\\r\\n"
    b"%x\\r\\n%b\\r\\n0\\r\\nX-Sum: 1\\r\\n\\r\\n" % (len(body), body))
phase = "decoding"
ends = []
request_bytes("POST", parse_url("https://api.example/v1?key=k"), {"X-Api-Key": "k"}, b"{}")
for size in (1, len(response)):
    exchange = Exchange("POST")
    items = [exchange.receive_data(response[i : i + size]) for i in range(0, len(response), size)]
    ends.append(items[-1][-1].framing)
for chunks in ([body], [body[i : i + 7] for i in range(0, len(body), 7)], [body[:300]], []):
    ends.append(list(decode(chunks, dialect="openai-chat"))[-1].outcome)
    list(decode(chunks))
for format in FORMATS:
    encoder = Encoder(format, created=1)
    for event in decode([body], dialect="openai-chat"):
        encoder.encode(event)
phase = "decoded"
print(json.dumps({"heard": heard, "loaded": sorted(loaded), "ends": ends,
    "threads": len(sys._current_frames())}))
"""


def test_leaves_no_trace_in_a_fresh_interpreter() -> None:
    names = [module_name(path) for path in FILES]
    # -I: neither the environment nor the working directory decides what is imported;
    # -B: importing writes no bytecode, so that whatever is written is the core's doing.
    done = subprocess.run(
        [sys.executable, "-I", "-B", "-c", PROBE, str(REPO), *names],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)

    importing = [event for event in report["heard"] if event[0] == "importing"]
    assert [event for event in importing if event[1].startswith(FORBIDDEN_WHILE_IMPORTING)] == []
    decoding = [event for event in report["heard"] if event[0] == "decoding"]
    assert [event for event in decoding if event[1] not in HARMLESS_EVENTS] == []

    assert not LOOPS_AND_SOCKETS & set(report["loaded"])
    assert report["threads"] == 1
    assert report["ends"][:2] == ["chunked", "chunked"]
    assert report["ends"][2:] == ["complete", "complete", "interrupted", "interrupted"]
