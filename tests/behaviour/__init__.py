"""How the API behaves: on the sandbox, and on a real account where one is given (docs/live.md)."""
