"""The relay: it stands between clients and providers, and streams outlive their connections."""
