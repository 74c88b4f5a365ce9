"""What is told of the URL of a store on a server that is wrong."""

from __future__ import annotations

import pytest

from kubestray.model.errors import UsageError
from kubestray.store.clickhouse import ClickHouseEngine


@pytest.mark.parametrize(
    "url",
    [
        "clickhouse://bob:s3cr/et@host:8123/db",
        "clickhouse://bob:s3cr#et@host:8123/db",
        "clickhouse://bob:s3cr?et@host:8123/db",
        "clickhouse://bob:1/s3cret@host:8123/db",
        "clickhouse://bob:s3cr[et@host:8123/db",
        "clickhouse://bob:s3cret@host:x/db",
        "clickhouse://bob:s3cret@host:99999/db",
    ],
)
def test_a_password_is_not_in_what_is_told(url):
    with pytest.raises(UsageError, match="write %2F for /") as told:
        ClickHouseEngine(url)
    chain = [told.value, told.value.__cause__, told.value.__context__]
    assert "s3cr" not in "".join(map(str, chain))
