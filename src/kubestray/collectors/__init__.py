"""What collectors have to be told: ready configurations, and which setting brings which data."""
