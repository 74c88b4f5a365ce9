"""The API does what its description says, whatever is asked (schemathesis makes the questions)."""

from __future__ import annotations

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis.checks import CHECKS

from helpers import examples
from kubestray.api.accounts import Role

# Texts of searches, times and lengths of time are languages that no schema describes: what is valid by it may
# be refused all the same, with 400. So the check that it never is does not apply.

_CHANGES_US = {"/api/v1/accounts/{name}", "/api/v1/accounts/{name}/link"}
"""What could take away the account that asks: `test_api_access` has them."""


def test_the_api_keeps_to_its_description(people):
    schema = schemathesis.openapi.from_asgi("/openapi.json", people.app)
    headers = people.token(Role.ADMIN)
    operations = [found.ok() for found in schema.get_all_operations()]
    asked = [one for one in operations if one.path not in _CHANGES_US]
    assert len(asked) >= 25
    for operation in asked:

        @given(case=operation.as_strategy())
        @settings(
            max_examples=examples(2),
            deadline=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        def keeps_to_it(case):
            case.call_and_validate(
                headers=headers, excluded_checks=[CHECKS.get_one("positive_data_acceptance")]
            )

        keeps_to_it()


@pytest.mark.parametrize("path", ["/openapi.json"])
def test_the_description_is_for_everybody(people, path):
    described = people.client().get(path).json()
    assert described["openapi"].startswith("3.")
    assert all(one.startswith("/api/v1/") for one in described["paths"])
    for path_, methods in described["paths"].items():
        for method, operation in methods.items():
            assert operation["summary"], (method, path_)
            assert operation["responses"]["401"]["content"]["application/json"]["schema"]["$ref"].endswith(
                "Problem"
            )
