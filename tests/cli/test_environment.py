"""The token and the addresses come from the environment, and no message shows a secret."""

from __future__ import annotations

import pytest

from pipeline.config.environment import Environment, Secret, known_secrets, read_environment
from pipeline.errors import JobError

TOKEN = "very-secret-token"


def problems(**environ: str):
    with pytest.raises(JobError) as error:
        read_environment({f"COPERNICA_{name}": value for name, value in environ.items()})
    assert TOKEN not in str(error.value)
    return [(problem.where, problem.what) for problem in error.value.problems]


def test_the_addresses_have_defaults():
    """A token is all that must be set."""
    environment = read_environment({"COPERNICA_TOKEN": TOKEN, "COPERNICA_API_URL": ""})
    assert environment == Environment(Secret(TOKEN), "https://api.copernica.com", "https://authenticate.copernica.com")


def test_a_token_file_is_read_without_blanks_around(tmp_path):
    """An editor's line end is no part of the token; a BOM neither."""
    path = tmp_path / "token"
    path.write_bytes(b"\xef\xbb\xbf  " + TOKEN.encode() + b"\r\n")
    assert read_environment({"COPERNICA_TOKEN_FILE": str(path)}).token.reveal() == TOKEN


def test_the_token_itself_holds_where_both_are_set(tmp_path):
    """A person overrides what cron has, and an empty variable is as good as none."""
    path = tmp_path / "token"
    path.write_text("from-the-file")
    both = {"COPERNICA_TOKEN_FILE": str(path), "COPERNICA_TOKEN": f" {TOKEN} "}
    assert read_environment(both).token.reveal() == TOKEN
    assert read_environment(both | {"COPERNICA_TOKEN": " "}).token.reveal() == "from-the-file"


def test_a_secret_shows_itself_to_nobody():
    """Neither printed, formatted nor inside another value."""
    environment = read_environment({"COPERNICA_TOKEN": TOKEN})
    shown = f"{environment} {environment.token} {environment.token!r} {environment.token:}"
    assert TOKEN not in shown
    assert shown.count("Secret(…)") == 4


def test_what_is_missing_or_wrong_is_named_at_once(tmp_path):
    """A missing token does not hide a wrong address."""
    assert problems(API_URL="ftp://x", AUTH_URL="http://example.com") == [
        ("COPERNICA_TOKEN", "there is no token"),
        ("COPERNICA_API_URL", "this is no http URL"),
        ("COPERNICA_AUTH_URL", "plain http would show the token to everybody between here and example.com"),
    ]


def test_a_token_file_that_gives_none_is_named(tmp_path):
    """Missing, a folder, empty."""
    (tmp_path / "empty").write_text(" \n")
    where = f"COPERNICA_TOKEN_FILE {tmp_path}"
    assert problems(TOKEN_FILE=f"{tmp_path}/none") == [
        (f"{where}/none", "the file of the token cannot be read: No such file or directory")
    ]
    assert problems(TOKEN_FILE=str(tmp_path)) == [(where, "the file of the token cannot be read: Is a directory")]
    (tmp_path / "long").write_text("x" * 16_385)
    assert problems(TOKEN_FILE=f"{tmp_path}/long") == [(f"{where}/long", "the file is too long to be that of a token")]
    assert problems(TOKEN_FILE=f"{tmp_path}/empty") == [(f"{where}/empty", "the file of the token is empty")]


@pytest.mark.parametrize("token", [f"{TOKEN} two", f"{TOKEN}\nX: y", f"{TOKEN}é", f"{TOKEN}\x07"])
def test_a_token_that_would_break_a_header_is_refused(token):
    """Only what a token can hold goes into a header."""
    assert problems(TOKEN=token) == [("COPERNICA_TOKEN", "the token holds blanks or characters that no token has")]


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:8765", "http://localhost", "http://[::1]:1/x", "http://127.9.9.9", "https://example.com/"]
)
def test_plain_http_is_taken_on_this_machine(url):
    """The sandbox speaks plain http on loopback; a slash at the end is cut."""
    environment = read_environment({"COPERNICA_TOKEN": TOKEN, "COPERNICA_API_URL": url})
    assert environment.api_url == url.rstrip("/")


@pytest.mark.parametrize(
    ("url", "what"),
    [
        ("http://127.0.0.1.example.com", "plain http would show the token to everybody between here and "
                                         "127.0.0.1.example.com"),
        ("http://localhost.example.com", "plain http would show the token to everybody between here and "
                                         "localhost.example.com"),
        ("http://10.0.0.1", "plain http would show the token to everybody between here and 10.0.0.1"),
        (f"https://me:{TOKEN}@example.com", "a URL here has no user and no password"),
        ("https://@example.com", "a URL here has no user and no password"),
        (f"https://example.com/?access_token={TOKEN}", "a URL of the API has no ?, # or blank"),
        ("https://example.com/#", "a URL of the API has no ?, # or blank"),
        ("https://", "this is no http URL"),
        ("example.com", "this is no http URL"),
        ("https://example.com:99999", "this is no URL"),
        ("https://[", "this is no URL"),
    ],
)  # fmt: skip
def test_an_address_that_would_leak_or_is_none_is_refused(url, what):
    """https, or this machine; nothing secret in it."""
    assert problems(TOKEN=TOKEN, AUTH_URL=url) == [("COPERNICA_AUTH_URL", what)]


def test_known_secrets_never_raise(tmp_path):
    """The log is set up before the environment is judged."""
    (tmp_path / "token").write_text(TOKEN)
    assert known_secrets({}) == ()
    assert known_secrets({"COPERNICA_TOKEN": f"{TOKEN} x"}) == (f"{TOKEN} x",)
    assert known_secrets({"COPERNICA_TOKEN_FILE": str(tmp_path / "token")}) == (TOKEN,)
    assert known_secrets({"COPERNICA_TOKEN_FILE": str(tmp_path / "none")}) == ()
