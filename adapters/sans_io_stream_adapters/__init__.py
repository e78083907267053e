"""Everything around the core that does I/O: runtimes, servers, stores, the command line.

A module here owns sockets, clocks and the environment, and knows nothing of providers,
retries or resuming: those are decided by the core, and carried out here. Each module is
imported by its own name; this one stays empty, so that importing the package costs nothing
and asks for no extra.
"""
