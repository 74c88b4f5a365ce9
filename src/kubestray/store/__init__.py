"""Where points, the series catalog and the ledger live: ClickHouse, embedded (chDB) or served.

`open_store` takes a URL and gives a `Store`. Searches hand it sqlglot trees and get Arrow tables.
"""
