"""Serve the local Copernica: the command `sandbox` (wiring)."""

from __future__ import annotations

import json
from pathlib import Path

import click


@click.command("sandbox")
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on; loopback only.")
@click.option("--port", default=8765, show_default=True, help="Port to listen on; 0 takes a free one.")
@click.option("--store", type=click.Path(path_type=Path), help="Keep everything in this SQLite file.")
@click.option("--structure", type=click.Path(path_type=Path), help="Databases to start with (YAML).")
@click.option("--token", default="sandbox", show_default=True, help="The only API token that is accepted.")
@click.option("--faults", type=click.Path(path_type=Path), help="Faults to play (YAML).")
@click.option("--state-dir", hidden=True, help="Every command takes it; the sandbox keeps no runs.")
@click.option("--json", "as_json", is_flag=True, help="Print the addresses as one JSON document.")
def command(
    host: str,
    port: int,
    store: Path | None,
    structure: Path | None,
    token: str,
    faults: Path | None,
    state_dir: str | None,  # noqa: ARG001 - every command takes it
    as_json: bool,
) -> None:
    """Serve a local Copernica until it is stopped.

    The first line on stdout names its address. Without --structure it starts empty, without --store it forgets
    everything at its end. SIGTERM and Ctrl-C end it with exit code 0.
    """
    from pipeline.sandbox import require_extra

    require_extra()
    from pipeline.sandbox.server import Server
    from pipeline.sandbox.world import World

    world = World(structure, token, store, faults)
    try:
        server = Server(world, host, port)
        address = {"api_url": server.url, "auth_url": f"{server.url}/authenticate", "token": token}
        line = json.dumps(address) if as_json else f"Copernica sandbox on {server.url} (Ctrl-C ends it)"
        server.serve_here(lambda: click.echo(line))
    finally:
        world.close()
