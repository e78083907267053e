"""``python -m sans_io_stream`` is the command line; the one file here that may do I/O."""

from sans_io_stream_adapters.cli import main

raise SystemExit(main())
