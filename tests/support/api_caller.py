"""Call the API over plain HTTP, past our own client; for the tests of the sandbox."""

from __future__ import annotations

from typing import Any

import requests

from pipeline.sandbox import Sandbox

STRUCTURE: dict[str, Any] = {
    "account": {"id": "34", "name": "Sandbox"},
    "databases": [
        {
            "name": "Customers",
            "fields": [
                {"name": "CustNo", "length": 20, "index": True},
                {"name": "Email", "type": "email"},
                {"name": "City", "length": 10},
                {"name": "Tier", "type": "select", "value": ["gold", "silver"]},
                {"name": "Points", "type": "integer", "value": 7},
                {"name": "Balance", "type": "float"},
                {"name": "Born", "type": "empty_date"},
                {"name": "Since", "type": "datetime"},
            ],
            "interests": [{"name": "news", "group": "mail"}, {"name": "offers", "group": "mail"}],
            "collections": [
                {"name": "Orders", "fields": [{"name": "No", "length": 20}, {"name": "Total", "type": "float"}]},
                {"name": "Visits", "fields": [{"name": "Page"}]},
            ],
        },
        {"name": "Other", "fields": [{"name": "Label", "length": 5}]},
    ],
}


class Client:
    """Call one version of the API and never follow redirects."""

    def __init__(self, sandbox: Sandbox, version: int = 4) -> None:
        self.sandbox = sandbox
        self.base = f"{sandbox.api_url}/v{version}/"
        self.session = requests.Session()
        self.session.trust_env = False
        self.params: dict[str, str] = {}
        if version == 4:
            answer = self.session.post(sandbox.auth_url, data={"access_token": sandbox.token}, timeout=10)
            self.session.headers["Authorization"] = f"Bearer {answer.text}"
        else:
            self.params = {"access_token": sandbox.token}

    def __call__(self, method: str, path: str, body: Any = None, **params: Any) -> requests.Response:
        """Send one request; `body` goes as JSON, `params` as the query."""
        return self.session.request(
            method, self.base + path, json=body, params={**self.params, **params}, allow_redirects=False, timeout=30
        )

    def get(self, path: str, **params: Any) -> Any:
        """Read the JSON of a successful GET."""
        answer = self("GET", path, **params)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def made(self, path: str, body: Any) -> str:
        """Create something and give its id."""
        answer = self("POST", path, body)
        assert answer.status_code == 201, answer.text
        return answer.headers["X-Created"]

    def refused(self, method: str, path: str, body: Any = None, **params: Any) -> str:
        """Return the message of a request that is refused with 400."""
        answer = self(method, path, body, **params)
        assert answer.status_code == 400
        assert list(answer.json()) == ["error"]
        return str(answer.json()["error"]["message"])

    def imported(self, rows: list[Any], **parameters: Any) -> dict[str, Any]:
        """Post an import of `rows`, wait for its end and give its status."""
        number = self.made("imports", {"database": 1, "source": rows, **parameters})
        assert self.sandbox.settle()
        return dict(self.get(f"import/{number}"))

    def close(self) -> None:
        """Close the connections."""
        self.session.close()


def codes(sandbox: Sandbox) -> list[str]:
    """List the codes of all hazards so far."""
    return [str(hazard["code"]) for hazard in sandbox.hazards()]
