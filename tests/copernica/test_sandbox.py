"""The client against the local Copernica, over real HTTP, in every version: right outcomes and no hazard."""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from pipeline.copernica import (
    Change,
    Client,
    Collection,
    Database,
    ImportRequest,
    NewField,
    Options,
    RefusedError,
    Selector,
    UnsupportedError,
)
from pipeline.sandbox import Sandbox
from tests.support.client import World

VERSIONS = ["v1", "v2", "v3", "v4"]


@pytest.fixture(scope="module")
def server(sockets: None) -> Iterator[Sandbox]:
    with Sandbox() as running:
        yield running


@pytest.fixture
def sandbox(server: Sandbox) -> Iterator[Sandbox]:
    """Empty at the start of each test, and without a hazard at its end."""
    server.reset()
    yield server
    assert server.hazards() == []


@pytest.fixture
def client(sandbox: Sandbox, request: pytest.FixtureRequest, world: World) -> Iterator[Client]:
    """Of v4, or of the version that the test is parametrized with."""
    version = getattr(request, "param", "v4")
    with Client(sandbox.token, version, sandbox.api_url, sandbox.auth_url, Options(), world.outside) as made:
        yield made


@pytest.fixture
def customers(client: Client) -> Database:
    """A database that the client itself has set up and read."""
    number = client.set_up.database("Customers")
    client.set_up.field(number, NewField("CustNo", length=50, index=True))
    client.set_up.field(number, NewField("Email", "email", length=160))
    client.set_up.field(number, NewField("Segment", "select", "gold\r\nsilver*"))
    client.set_up.field(number, NewField("Visits", "integer", "0"))
    client.set_up.interest(number, "news")
    client.set_up.interest(number, "sport")
    orders = client.set_up.collection(number, "Orders")
    client.set_up.collection_field(orders, NewField("No", length=20, index=True))
    client.set_up.collection_field(orders, NewField("Total", "float", "0"))
    return client.structure("customers")


@pytest.fixture
def orders(customers: Database) -> Collection:
    return customers.collections["Orders"]


every_version = pytest.mark.parametrize("client", VERSIONS, indirect=True)


@every_version
def test_what_was_set_up_is_read(client: Client, customers: Database) -> None:
    """Names, types, lengths, indexes, choices; by id as by name."""
    fields = customers.fields
    assert customers.name == "Customers"
    assert (fields["CustNo"].type, fields["CustNo"].length, fields["CustNo"].index) == ("text", 50, True)
    assert (fields["Segment"].choices, fields["Segment"].type) == (("gold", "silver"), "select")
    assert (list(customers.interests), list(customers.collections)) == (["news", "sport"], ["Orders"])
    assert list(customers.collections["Orders"].fields) == ["No", "Total"]
    assert client.structure(customers.id) == customers


@every_version
def test_the_account_is_known(client: Client) -> None:
    """An id to compare with the job's."""
    assert client.identity().id != ""


@every_version
def test_a_database_that_is_not_there(client: Client) -> None:
    """Refused in Copernica's words."""
    with pytest.raises(RefusedError, match="No database with supplied ID"):
        client.structure("Nowhere")


@every_version
def test_the_life_of_a_profile(client: Client, customers: Database) -> None:
    """Made, found by its key, changed, removed, and gone."""
    number = client.create_profile(customers, {"CustNo": "17", "Email": "a+b%&é@x.test", "Segment": "gold"})
    for name, value in (("CustNo", "17"), ("Email", "a+b%&é@x.test"), ("Segment", "gold")):
        assert [one.id for one in client.profiles(customers, Selector.equals(customers.fields[name], value))] == [
            number
        ]
    client.update_profile(number, {"Visits": "3"})
    client.update_profile(number, {"Segment": "silver"})
    found = client.profile(number)
    assert found.fields == {"CustNo": "17", "Email": "a+b%&é@x.test", "Segment": "silver", "Visits": "3"}
    assert (found.removed, found.database) == (False, customers.id)
    assert client.delete_profile(number) is True
    assert client.delete_profile(number) is False
    assert client.profile(number).removed is True
    assert list(client.profiles(customers)) == []


@every_version
def test_profiles_are_put_by_key(client: Client, customers: Database) -> None:
    """One is made where none is, then it is changed, and only it."""
    other = client.create_profile(customers, {"CustNo": "18", "Email": "o@x.test"})
    seventeen = (Selector.equals(customers.fields["CustNo"], "17"),)
    made = client.put_profiles(customers, Change(seventeen, {"CustNo": "17", "Email": "a@x.test"}, create=True))
    assert made is not None
    assert client.put_profiles(customers, Change(seventeen, {"CustNo": "17", "Email": "b@x.test"}, create=True)) is None
    assert client.put_profiles(customers, Change(seventeen, {"Visits": "4"})) is None
    assert client.profile(made).fields == {"CustNo": "17", "Email": "b@x.test", "Segment": "silver", "Visits": "4"}
    assert client.profile(other).fields["Email"] == "o@x.test"


@every_version
def test_profiles_are_paged_and_counted(client: Client, customers: Database) -> None:
    """Two hundred and fifty, more than a page of v1; in the order of their ids."""
    with ThreadPoolExecutor(4) as pool:
        made = list(pool.map(lambda n: client.create_profile(customers, {"CustNo": str(n)}), range(250)))
    before = client.calls
    found = [one.id for one in client.profiles(customers, data_only=True)]
    assert found == sorted(made)
    assert client.calls - before == (3 if client.version == "v1" else 1)
    assert [one.id for one in client.profiles(customers, limit=120)] == sorted(made)[:120]
    assert client.count(customers) == 250
    assert client.count(customers, Selector.equals(customers.fields["CustNo"], "7")) == 1
    assert client.count(customers, Selector.equals(customers.fields["CustNo"], "nobody")) == 0


@every_version
def test_interests_are_switched_one_by_one(client: Client, customers: Database) -> None:
    """Those not named stay."""
    number = client.create_profile(customers, {"CustNo": "17"})
    client.set_interests(number, {"news": True, "sport": True})
    client.set_interests(number, {"sport": False})
    assert client.profile(number).interests == ("news",)


@pytest.mark.parametrize("client", ["v2", "v3", "v4"], indirect=True)
def test_a_profile_is_made_with_interests(client: Client, customers: Database) -> None:
    """From v2 on."""
    number = client.create_profile(customers, {"CustNo": "17"}, {"sport": True})
    assert client.profile(number).interests == ("sport",)


@every_version
def test_the_life_of_subprofiles(client: Client, customers: Database, orders: Collection) -> None:
    """Made, listed, changed, removed; the profile stays."""
    profile = client.create_profile(customers, {"CustNo": "17"})
    first, second = (client.create_subprofile(profile, orders, {"No": no, "Total": "3.5"}) for no in ("A1", "A2"))
    client.update_subprofile(first, {"Total": "4.5"})
    assert [(one.id, one.fields["No"], one.profile) for one in client.subprofiles(profile, orders)] == [
        (first, "A1", profile),
        (second, "A2", profile),
    ]
    assert float(client.subprofile(first).fields["Total"]) == 4.5
    a2 = Selector.equals(orders.fields["No"], "A2")
    assert [one.id for one in client.collection_subprofiles(orders, a2)] == [second]
    assert (client.count_subprofiles(orders), client.count_subprofiles(orders, a2)) == (2, 1)
    assert client.delete_subprofile(first) is True
    assert client.delete_subprofile(first) is False
    assert [one.id for one in client.subprofiles(profile, orders)] == [second]
    assert client.profile(profile).removed is False


@every_version
def test_many_subprofiles_of_one_profile_are_all_listed(
    client: Client, customers: Database, orders: Collection
) -> None:
    """Once each, whether they come as an array or as pages."""
    profile = client.create_profile(customers, {"CustNo": "17"})
    made = [client.create_subprofile(profile, orders, {"No": str(n)}) for n in range(130)]
    assert [one.id for one in client.subprofiles(profile, orders)] == made


@pytest.mark.parametrize("client", ["v3", "v4"], indirect=True)
def test_an_import_runs_to_its_end(sandbox: Sandbox, client: Client, customers: Database, orders: Collection) -> None:
    """Profiles, subprofiles and an interest, as in API sheet 23; the counters add up to the rows."""
    rows = [
        {"CustNo": "17", "Email": "é😀@x.test", "interest.news": "Yes", "Orders.No": no, "Orders.Total": total}
        for no, total in (("A1", "3.50"), ("A2", "9.00"))
    ]
    wanted = ImportRequest(customers.id, "run-1", "update or add", ("CustNo", "Orders.No"), True, rebuild=True)
    number = client.post_import(wanted, json.dumps(rows).encode())
    assert sandbox.settle()
    status = client.import_status(number)
    assert (status.id, status.total, status.processed, status.last_error) == (number, 2, 2, None)
    assert status.last_run is not None
    (profile,) = client.profiles(customers)
    assert (profile.fields["Email"], profile.interests) == ("é😀@x.test", ("news",))
    assert [one.fields["No"] for one in client.subprofiles(profile.id, orders)] == ["A1", "A2"]


@pytest.mark.parametrize("client", ["v3", "v4"], indirect=True)
def test_an_import_that_deletes_profiles(sandbox: Sandbox, client: Client, customers: Database) -> None:
    """Keys only, and what it deletes is said."""
    for number in ("17", "18"):
        client.create_profile(customers, {"CustNo": number})
    client.post_import(ImportRequest(customers.id, "x", "delete", ("CustNo",), True, "profile"), b'[{"CustNo":"17"}]')
    assert sandbox.settle()
    assert [one.fields["CustNo"] for one in client.profiles(customers)] == ["18"]


@pytest.mark.parametrize("client", ["v1", "v2"], indirect=True)
def test_imports_came_with_v3(client: Client) -> None:
    """Refused here, not by a call."""
    with pytest.raises(UnsupportedError, match="has no imports"):
        client.post_import(ImportRequest(7, "x", "add", (), True), b'[{"a":"b"}]')
    assert client.calls == 0


def test_calls_are_counted_as_copernica_counts_them(sandbox: Sandbox, client: Client, customers: Database) -> None:
    """The journal's requests to the API host are the client's calls, the exchange of the token is none."""
    client.create_profile(customers, {"CustNo": "17"})
    assert client.calls == len([entry for entry in sandbox.journal() if entry["path"].startswith("/v4/")])


FAULTS = ["refuse", "502", "503", "504", "empty", "cut", "expire"]


@pytest.mark.parametrize("kind", FAULTS)
def test_reading_and_repeatable_writing_survive_every_fault(
    sandbox: Sandbox, client: Client, customers: Database, kind: str
) -> None:
    """Every third request of each kind is hit, and the outcome is the same."""
    number = client.create_profile(customers, {"CustNo": "17"})
    sandbox.set_faults([{"kind": kind, "method": method, "every": 3} for method in ("GET", "PUT", "DELETE")])
    for visits in ("1", "2", "3", "4"):
        client.update_profile(number, {"Visits": visits})
        assert client.profile(number).fields["Visits"] == visits
    assert [one.id for one in client.profiles(customers)] == [number]


def test_429_is_waited_out_also_by_what_may_not_be_repeated(
    sandbox: Sandbox, client: Client, customers: Database, world: World
) -> None:
    """As long as it says, in seconds."""
    sandbox.set_faults([{"kind": "429", "method": "POST", "retry_after": 20, "times": 2}])
    number = client.create_profile(customers, {"CustNo": "17"})
    assert world.waits[:2] == [20.0, 20.0]
    assert [one.id for one in client.profiles(customers)] == [number]


def test_a_value_that_looks_like_an_operator_is_a_value(client: Client, customers: Database) -> None:
    """It matches nothing, and above all not everything."""
    client.create_profile(customers, {"CustNo": "17"})
    assert list(client.profiles(customers, Selector.equals(customers.fields["CustNo"], "=<>!~%_ x"))) == []
