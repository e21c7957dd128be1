"""What differs between v1, v2, v3 and v4, and where a token may go."""

from __future__ import annotations

import pytest

from pipeline.copernica.failures import UnsupportedError
from pipeline.copernica.versions import VERSIONS, is_success, safe_url


def test_the_table_of_versions() -> None:
    """API sheet 2, 3.1, 5, 8, 10, 11."""
    rows = [
        (
            v.name,
            v.jwt,
            v.flat_profiles,
            v.page_rows,
            v.has_imports,
            v.has_data_only,
        )
        for v in VERSIONS.values()
    ]
    assert rows == [
        ("v1", False, True, 100, False, False),
        ("v2", False, False, 1000, False, True),
        ("v3", False, False, 1000, True, True),
        ("v4", True, False, 1000, True, True),
    ]


@pytest.mark.parametrize(
    ("version", "body"),
    [
        ("v1", {"A": "1"}),
        ("v2", {"fields": {"A": "1"}}),
        ("v3", {"fields": {"A": "1"}}),
        ("v4", {"fields": {"A": "1"}}),
    ],
)
def test_profiles_are_flat_in_v1_and_wrapped_since(version: str, body: object) -> None:
    """The other shape succeeds and writes nothing (API sheet 1, trap 4)."""
    assert VERSIONS[version].profile_body({"A": "1"}) == body


def test_interests_go_beside_the_fields() -> None:
    """From v2 on a profile can be made with interests."""
    assert VERSIONS["v4"].profile_body({"A": "1"}, {"news": True}) == {
        "fields": {"A": "1"},
        "interests": {"news": True},
    }


def test_v1_refuses_interests_while_creating() -> None:
    """Its flat body has no place for them; they would become a field."""
    with pytest.raises(UnsupportedError, match="v1 takes no interests"):
        VERSIONS["v1"].profile_body({"A": "1"}, {"news": True})


@pytest.mark.parametrize(
    ("method", "status", "success"),
    [
        ("GET", 200, True),
        ("GET", 204, False),
        ("GET", 301, False),
        ("GET", 303, False),
        ("POST", 201, True),
        ("PUT", 200, True),
        ("PUT", 204, True),
        ("PUT", 303, True),
        ("PUT", 301, False),
        ("DELETE", 204, True),
        ("DELETE", 400, False),
    ],
)
def test_which_status_is_a_success(method: str, status: int, success: bool) -> None:
    """Writing may answer 303, which is not followed; reading must answer 200 (API sheet 4.1)."""
    assert is_success(method, status) is success


@pytest.mark.parametrize(
    ("url", "clean"),
    [
        ("https://api.copernica.com", "https://api.copernica.com"),
        ("https://api.copernica.com/", "https://api.copernica.com"),
        ("http://127.0.0.1:8765", "http://127.0.0.1:8765"),
        ("http://127.9.9.9", "http://127.9.9.9"),
        ("http://[::1]:80", "http://[::1]:80"),
        ("http://localhost:1/api/", "http://localhost:1/api"),
    ],
)
def test_a_token_may_go_over_https_and_to_this_machine(url: str, clean: str) -> None:
    """And a slash at the end makes no empty path element."""
    assert safe_url(url) == clean


@pytest.mark.parametrize(
    "url",
    [
        "http://api.copernica.com",
        "http://127.0.0.1.evil.test",
        "http://localhost.evil.test",
        "http://[::ffff:127.0.0.1]",
        "http://0.0.0.0",
        "http://10.0.0.1",
        "ftp://localhost",
        "api.copernica.com",
        "https://",
        "",
        "https://user:secret-abc@api.copernica.com",
        "https://api.copernica.com?access_token=secret-abc",
        "https://api.copernica.com#secret-abc",
        "https://api.copernica.com/ x",
        "http://[::1",
        "http://localhost:secret-abc",
    ],
)
def test_a_token_goes_nowhere_else(url: str) -> None:
    """Plain http to another machine, and URLs that could hold a secret, are refused without repeating them."""
    with pytest.raises(ValueError, match=r"URL|plain http") as caught:
        safe_url(url)
    assert "secret-abc" not in str(caught.value)
