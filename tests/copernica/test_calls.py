"""A request is brought to its end: attempts, pace, token, limits, counting."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from pipeline.copernica import (
    AuthError,
    BudgetSpentError,
    CallLimitError,
    CancelledError,
    Change,
    Client,
    Collection,
    Database,
    ImportRequest,
    LostError,
    NotSentError,
    RefusedError,
    Selector,
)
from tests.copernica.server import CLOSE, RESET, SILENT, Reply, Script, Seen, Server, answer, in_turn
from tests.support.client import TOKEN, World, jwt

pytestmark = pytest.mark.usefixtures("sockets")

Serve = Callable[[Script], Server]
Connect = Callable[..., Client]

IDENTITY = answer(200, {"id": "34", "name": "Shop"})
LOST = [CLOSE, RESET, answer(502, b"<h1>Bad Gateway</h1>"), answer(504), answer(500)]
IMPORT = ImportRequest(7, "run", "update or add", ("CustNo",), True)
ROWS = b'[{"CustNo":"17"}]'
NOWHERE = "http://127.0.0.1:9"


@pytest.mark.parametrize("reply", [*LOST, answer(503, b"<h1>Loadbalancer Error</h1>"), answer(429)])
def test_reading_goes_again_after_every_passing_fault(
    serve: Serve, connect: Connect, world: World, reply: Reply
) -> None:
    """And each attempt is a call."""
    client = connect(serve(in_turn(reply, reply, IDENTITY)).url)
    assert client.identity().id == "34"
    assert world.waits[0] == 0.5
    assert client.calls == 3
    assert [call.attempt for call in world.calls] == [1, 2, 3]


def test_an_answer_that_takes_too_long_is_asked_for_again(serve: Serve, connect: Connect) -> None:
    """A read timeout while reading."""
    client = connect(serve(in_turn(SILENT, IDENTITY)).url, read_s=0.2)
    assert client.identity().id == "34"


@pytest.mark.parametrize("status", [429, 503])
def test_retry_after_is_waited_for(serve: Serve, connect: Connect, world: World, status: int) -> None:
    """In seconds, or as a date; the clock stands at 1000 s after 1970 began."""
    date = "Thu, 01 Jan 1970 00:17:30 GMT"
    script = in_turn(answer(status, Retry_After="7"), answer(status, Retry_After=date), IDENTITY)
    connect(serve(script).url).identity()
    assert world.now_s == pytest.approx(1050.0)
    assert world.waits[0] == 7.0


@pytest.mark.parametrize("reply", [*LOST, answer(503)])
def test_an_import_is_never_posted_twice(serve: Serve, connect: Connect, world: World, reply: Reply) -> None:
    """Whatever became of its answer (data rule 28)."""
    server = serve(in_turn(reply))
    with pytest.raises(LostError, match=r"^POST /imports: outcome unknown; ") as caught:
        connect(server.url).post_import(IMPORT, ROWS)
    assert (caught.value.maybe_sent, caught.value.look_up) == (True, False)
    assert len(server.seen) == 1
    assert world.waits == []


def test_an_import_without_an_id_is_unknown(serve: Serve, connect: Connect) -> None:
    """A success that names nothing."""
    server = serve(in_turn(answer(200)))
    with pytest.raises(LostError, match="without the id"):
        connect(server.url).post_import(IMPORT, ROWS)
    assert len(server.seen) == 1


@pytest.mark.parametrize("reply", [answer(429), answer(429, Retry_After="3")])
def test_an_import_may_go_again_after_429(serve: Serve, connect: Connect, reply: Reply) -> None:
    """It was not carried out."""
    server = serve(in_turn(reply, answer(201, X_Created="88")))
    assert connect(server.url).post_import(IMPORT, ROWS) == 88
    assert len(server.seen) == 2


def test_an_import_waits_longer_for_its_answer(serve: Serve, connect: Connect) -> None:
    """`import_read_s` instead of `read_s`."""
    server = serve(in_turn(SILENT))
    client = connect(server.url, read_s=30.0, import_read_s=0.2)
    with pytest.raises(LostError, match="no answer in time"):
        client.post_import(IMPORT, ROWS)


@pytest.mark.parametrize("reply", [*LOST, answer(503)])
def test_a_create_is_looked_up_first(serve: Serve, connect: Connect, customers: Database, reply: Reply) -> None:
    """Another POST would make another profile."""
    server = serve(in_turn(reply))
    with pytest.raises(LostError) as caught:
        connect(server.url).create_profile(customers, {"CustNo": "17"})
    assert (caught.value.maybe_sent, caught.value.look_up) == (True, True)
    assert len(server.seen) == 1


@pytest.mark.parametrize("reply", [*LOST, answer(503)])
def test_a_put_of_one_record_goes_again(serve: Serve, connect: Connect, reply: Reply) -> None:
    """Twice is as once."""
    server = serve(in_turn(reply, answer(204)))
    connect(server.url).update_profile(501, {"CustNo": "17"})
    assert len(server.seen) == 2


def test_a_put_with_create_is_looked_up_first(serve: Serve, connect: Connect, customers: Database) -> None:
    """Its first attempt may have made the record."""
    server = serve(in_turn(CLOSE))
    change = Change((Selector.equals(customers.fields["CustNo"], "17"),), {"CustNo": "17"}, create=True)
    with pytest.raises(LostError) as caught:
        connect(server.url).put_profiles(customers, change)
    assert caught.value.look_up
    assert len(server.seen) == 1


def test_a_put_that_breaks_its_selector_does_not_go_again(serve: Serve, connect: Connect, customers: Database) -> None:
    """After the first one others would match."""
    server = serve(in_turn(CLOSE))
    change = Change((Selector.equals(customers.fields["CustNo"], "17"),), {"CustNo": "18"})
    with pytest.raises(LostError) as caught:
        connect(server.url).put_profiles(customers, change)
    assert caught.value.look_up
    assert len(server.seen) == 1


def test_a_delete_goes_again_and_removed_is_success(serve: Serve, connect: Connect) -> None:
    """The first attempt had removed it."""
    removed = answer(400, {"error": {"message": "This profile has already been removed"}})
    server = serve(in_turn(CLOSE, removed))
    assert connect(server.url).delete_profile(501) is False
    assert len(server.seen) == 2


def test_nothing_sent_goes_again_whatever_it_was(connect: Connect, world: World, customers: Database) -> None:
    """Until the budget is used up; nothing was sent, and nothing was a call."""
    client = connect(NOWHERE)
    with pytest.raises(NotSentError, match="within 900 s of waiting; last not sent: no connection") as caught:
        client.post_import(IMPORT, ROWS)
    assert caught.value.maybe_sent is False
    assert (client.calls, client.bytes_sent) == (0, 0)
    assert world.waits[:7] == [0.5, 1, 2, 4, 8, 16, 30]
    assert 840 <= sum(world.waits) <= 900


def test_one_budget_serves_the_whole_run(connect: Connect, world: World, customers: Database) -> None:
    """What the first call has waited, the second cannot."""
    client = connect(NOWHERE, retry_budget_s=60.0)
    with pytest.raises(NotSentError):
        client.create_profile(customers, {"CustNo": "17"})
    waits = len(world.waits)
    with pytest.raises(NotSentError):
        client.update_profile(501, {"CustNo": "17"})
    assert waits == 6
    assert sum(world.waits) <= 60.0


def test_a_put_that_ran_out_of_time_may_have_been_sent(serve: Serve, connect: Connect, world: World) -> None:
    """One of its attempts got no answer."""
    server = serve(in_turn(CLOSE, answer(429, Retry_After="5000")))
    with pytest.raises(BudgetSpentError) as caught:
        connect(server.url).update_profile(501, {"CustNo": "17"})
    assert caught.value.maybe_sent is True


def test_a_put_refused_after_a_lost_attempt_may_have_been_sent(serve: Serve, connect: Connect) -> None:
    """The refusal is the second one's."""
    server = serve(in_turn(CLOSE, answer(400, {"error": {"message": "No entity with supplied ID"}})))
    with pytest.raises(RefusedError) as caught:
        connect(server.url).update_profile(501, {"CustNo": "17"})
    assert caught.value.maybe_sent is True


def test_without_a_budget_there_is_one_attempt(serve: Serve, connect: Connect, world: World) -> None:
    """For who retries himself."""
    server = serve(in_turn(answer(503)))
    with pytest.raises(BudgetSpentError, match=r"last busy \(503\)"):
        connect(server.url, retry_budget_s=0.0).identity()
    assert len(server.seen) == 1


def test_a_refusal_is_told_in_copernicas_words(serve: Serve, connect: Connect, world: World) -> None:
    """And never repeated."""
    server = serve(in_turn(answer(400, {"error": {"message": "Invalid method"}})))
    with pytest.raises(RefusedError, match=r"^GET /identity was refused with 400: Invalid method$") as caught:
        connect(server.url).identity()
    assert (caught.value.words, caught.value.status, caught.value.maybe_sent) == ("Invalid method", 400, False)
    assert len(server.seen) == 1


@pytest.mark.parametrize("status", [401, 403, 400])
def test_a_token_of_v3_that_is_refused_ends_it(serve: Serve, connect: Connect, status: int) -> None:
    """There is no other."""
    server = serve(in_turn(answer(status, {"error": {"message": "Invalid access token"}})))
    with pytest.raises(AuthError, match="the token is not accepted: Invalid access token"):
        connect(server.url).identity()
    assert len(server.seen) == 1


def auth_or(issue: Callable[[Seen], Reply], script: Script) -> Script:
    return lambda seen: issue(seen) if seen.path == "/authenticate" else script(seen)


def test_v4_exchanges_its_token_once(serve: Serve, connect: Connect) -> None:
    """By form POST to the URL as it stands; the exchange is no call."""
    server = serve(auth_or(in_turn(answer(200, jwt().encode())), in_turn(IDENTITY)))
    client = connect(server.url, "v4")
    client.identity()
    client.identity()
    exchange, first, second = server.seen
    assert (exchange.method, exchange.target, exchange.body) == ("POST", "/authenticate", b"access_token=secret-abc")
    assert exchange.headers["content-type"] == "application/x-www-form-urlencoded"
    assert [seen.target for seen in (first, second)] == ["/v4/identity", "/v4/identity"]
    assert [seen.headers["authorization"] for seen in (first, second)] == [f"Bearer {jwt()}"] * 2
    assert (client.calls, client.bytes_sent) == (2, 0)


@pytest.mark.parametrize("status", [401, 403, 400])
def test_v4_exchanges_anew_when_refused(serve: Serve, connect: Connect, status: int) -> None:
    """Once, and the request, not carried out, goes again: an import too."""
    tokens = in_turn(answer(200, jwt(mark="one").encode()), answer(200, jwt(mark="two").encode()))
    refusal = answer(status, {"error": {"message": "Invalid access token"}})
    server = serve(auth_or(tokens, in_turn(refusal, answer(201, X_Created="88"))))
    client = connect(server.url, "v4")
    assert client.post_import(IMPORT, ROWS) == 88
    assert [seen.path for seen in server.seen] == ["/authenticate", "/v4/imports", "/authenticate", "/v4/imports"]
    assert server.seen[3].headers["authorization"] == f"Bearer {jwt(mark='two')}"
    assert client.calls == 2


def test_v4_that_is_refused_twice_ends_it(serve: Serve, connect: Connect) -> None:
    """A token that was just made is not expired."""
    refusal = answer(401)
    server = serve(auth_or(in_turn(answer(200, jwt().encode())), in_turn(refusal)))
    with pytest.raises(AuthError, match="the token is not accepted"):
        connect(server.url, "v4").identity()
    assert len(server.seen) == 4


@pytest.mark.parametrize(
    "reply", [answer(400, {"error": {"message": "Unknown token"}}), answer(401), answer(200, b"no"), answer(404)]
)
def test_an_exchange_that_is_refused_ends_it(serve: Serve, connect: Connect, reply: Reply) -> None:
    """Before anything went to the API."""
    server = serve(auth_or(in_turn(reply), in_turn(IDENTITY)))
    with pytest.raises(AuthError, match=r"the exchange of the token|could not be exchanged"):
        connect(server.url, "v4").identity()
    assert [seen.path for seen in server.seen] == ["/authenticate"]


def test_an_error_says_whether_it_was_the_exchange(serve: Serve, connect: Connect) -> None:
    """So that who reads it looks at the right address; a code, no words."""
    refused = serve(in_turn(answer(400, {"error": {"message": "no"}})))
    with pytest.raises(AuthError) as error:
        connect(refused.url, "v4").identity()
    assert error.value.of_exchange
    token = answer(200, jwt().encode())
    server = serve(in_turn(token, answer(400, {"error": {"message": "Invalid access token"}}), token, answer(401, b"")))
    with pytest.raises(AuthError) as error:
        connect(server.url, "v4").identity()
    assert not error.value.of_exchange


def test_an_exchange_goes_again_after_a_passing_fault(serve: Serve, connect: Connect) -> None:
    """As reading does."""
    server = serve(auth_or(in_turn(answer(503), CLOSE, answer(200, jwt().encode())), in_turn(IDENTITY)))
    assert connect(server.url, "v4").identity().name == "Shop"


def test_an_exchange_that_fails_while_a_put_is_open_keeps_it_open(serve: Serve, connect: Connect) -> None:
    """The PUT may have been carried out before the token was refused."""
    tokens = in_turn(answer(200, jwt().encode()), answer(400))
    server = serve(auth_or(tokens, in_turn(CLOSE, answer(401))))
    with pytest.raises(AuthError) as caught:
        connect(server.url, "v4").update_profile(501, {"CustNo": "17"})
    assert caught.value.maybe_sent is True


def test_the_limit_of_calls_stops_before_the_next_one(serve: Serve, connect: Connect) -> None:
    """Attempts count; the call that would exceed it is not made."""
    server = serve(in_turn(IDENTITY, answer(503)))
    client = connect(server.url, max_calls=3)
    client.identity()
    with pytest.raises(CallLimitError, match="the limit of 3 calls is reached: GET /identity was not sent"):
        client.identity()
    assert len(server.seen) == client.calls == 3


def test_the_limit_of_calls_may_be_set_later(serve: Serve, connect: Connect) -> None:
    """When the plan is known."""
    client = connect(serve(in_turn(IDENTITY)).url)
    client.identity()
    client.limit_calls(1)
    with pytest.raises(CallLimitError):
        client.identity()


def test_the_limit_of_calls_holds_for_all_workers_together(serve: Serve, connect: Connect) -> None:
    """Sixteen at once, ten allowed."""
    server = serve(in_turn(IDENTITY))
    client = connect(server.url, max_calls=10)

    def ask(_: int) -> bool:
        try:
            return client.identity().id == "34"
        except CallLimitError:
            return False

    with ThreadPoolExecutor(16) as pool:
        assert sum(pool.map(ask, range(40))) == 10
    assert len(server.seen) == client.calls == 10


def test_a_limit_reached_between_attempts_keeps_the_outcome_open(serve: Serve, connect: Connect) -> None:
    """The first attempt may have been carried out."""
    server = serve(in_turn(CLOSE))
    with pytest.raises(CallLimitError) as caught:
        connect(server.url, max_calls=1).update_profile(501, {"CustNo": "17"})
    assert caught.value.maybe_sent is True


def test_an_interrupt_ends_the_waiting(serve: Serve, connect: Connect, world: World) -> None:
    """And says whether the request may have been carried out."""
    server = serve(in_turn(CLOSE))
    world.cancelled.set()
    client = connect(server.url)
    with pytest.raises(CancelledError) as caught:
        client.update_profile(501, {"CustNo": "17"})
    assert caught.value.maybe_sent is True
    assert world.waits == []


def test_the_pace_is_kept(serve: Serve, connect: Connect, world: World) -> None:
    """Two per second."""
    client = connect(serve(in_turn(IDENTITY)).url, max_calls_per_s=2.0)
    for _ in range(3):
        client.identity()
    assert world.waits == [0.5, 0.5]


def test_a_refused_pace_slows_everybody_down(serve: Serve, connect: Connect, world: World) -> None:
    """The next call, of whomever, comes later, too."""
    client = connect(serve(in_turn(answer(429, Retry_After="5"), IDENTITY)).url)
    client.identity()
    client.identity()
    assert world.waits[0] == 5.0
    assert world.now_s > 1006.0


def test_what_went_out_is_counted(serve: Serve, connect: Connect, world: World) -> None:
    """Bodies of the API host, by attempt; what is heard of a call has neither query nor body."""
    server = serve(in_turn(answer(503), answer(204)))
    client = connect(server.url)
    client.update_profile(501, {"CustNo": "17"})
    assert (client.calls, client.bytes_sent) == (2, 2 * len(b'{"fields":{"CustNo":"17"}}'))
    assert [(call.method, call.path, call.status, call.failure) for call in world.calls] == [
        ("PUT", "/profile/501", 503, "busy"),
        ("PUT", "/profile/501", 204, None),
    ]


def test_thirty_two_workers_share_one_client(serve: Serve, connect: Connect, orders: Collection) -> None:
    """Each gets the answer to its own question, and every call is counted."""

    def create(seen: Seen) -> bytes:
        return answer(201, X_Created=seen.json["No"])  # type: ignore[index]

    server = serve(create)
    client = connect(server.url)
    with ThreadPoolExecutor(32) as pool:
        got = list(pool.map(lambda n: client.create_subprofile(1, orders, {"No": str(n)}), range(1, 401)))
    assert got == list(range(1, 401))
    assert client.calls == len(server.seen) == 400


def test_a_wrong_url_of_the_api_is_not_sent(connect: Connect) -> None:
    """A port where a TLS server is expected and none is there."""
    with pytest.raises(NotSentError, match="no connection"):
        Client(TOKEN, "v3", "https://127.0.0.1:9", outside=World().outside).identity()


def test_an_untrusted_certificate_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """NotSentError at once."""
    world = World()
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", "/nowhere/ca.pem")
    with pytest.raises(NotSentError, match="the CA bundle of the environment cannot be read"):
        Client(TOKEN, "v3", "https://127.0.0.1:9", outside=world.outside).identity()
    assert world.waits == []


def test_a_silence_longer_than_the_budget_ends_the_run(serve: Serve, connect: Connect, customers: Database) -> None:
    """`Retry-After` holds every call, so the time comes from the budget; beyond it nothing is sent and nobody waits."""
    busy = answer(503, b"<html>busy</html>", Retry_After="600")
    server = serve(in_turn(busy))
    client = connect(server.url, retry_budget_s=60.0)
    with pytest.raises(LostError):
        client.create_profile(customers, {"CustNo": "1"})
    with pytest.raises(BudgetSpentError, match=r"GET /profile/501 was not sent: the API asks for 600 s of silence"):
        client.profile(501)
    assert len(server.seen) == 1


def test_a_silence_within_the_budget_is_waited_for_once(
    serve: Serve, connect: Connect, customers: Database, world: World
) -> None:
    """Both calls behind it start when it is over."""
    busy, found = answer(503, b"", Retry_After="50"), answer(200, {"ID": "501", "database": "7", "fields": {}})
    client = connect(serve(in_turn(busy, found)).url, retry_budget_s=60.0)
    with pytest.raises(LostError):
        client.create_profile(customers, {"CustNo": "1"})
    for _ in range(2):
        assert client.profile(501).id == 501
    assert world.waits[0] == 50.0
    assert sum(world.waits) < 60.0
