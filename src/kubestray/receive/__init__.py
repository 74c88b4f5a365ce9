"""Metrics from the wire and from files: bytes in, batches out. Knows nothing of the store."""
