"""The nouns every stage shares: metrics, content, risk, errors. Imports nothing above itself."""
