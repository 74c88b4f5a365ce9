"""kubestray: find the Kubernetes workloads that stray from their own normal."""

__version__ = "0.1.0"
