"""What operators of a relay see of it, and what they allow.

``probing`` answers the probes and who asks for metrics; ``metrics`` counts, ``watching`` looks at
providers' streams, ``access`` at requests, and ``exposition`` writes it down for Prometheus;
``telling`` is the log as JSON lines. ``allowance`` says what a key may spend, ``accounts`` holds
it to that.
"""
