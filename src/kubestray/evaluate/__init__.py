"""Scoring methods measured on data with labels: the method runs as it does live, the counting is the same
for all.
"""
