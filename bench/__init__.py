"""Measurements of speed and size; ``make bench`` prints them as JSON."""
