"""A Ray cluster started or joined, with token authentication on."""

import os
import socket
from types import ModuleType
from typing import Any

from rnnlab.errors import UnavailableError, UsageError

OBJECT_STORE_BYTES = 256 * 2**20
"""Of a cluster of this machine alone: texts that go to runs, and run directories that come back."""

CONNECT_SECONDS = 5.0
"""Longest wait for a cluster's head."""

TOKEN = (
    "put the token of the cluster into ~/.ray/auth_token, or name its file in RAY_AUTH_TOKEN_PATH"
)


def connect(address: str, cpus: int = 0) -> ModuleType:
    """Join the cluster at `address`, or start one of this machine with `cpus`, 0: all.

    Returns the package ray. Raises UsageError for an address that is none, UnavailableError where
    ray is not installed, the cluster cannot be reached or refuses the token.
    """
    # Both are read when ray is imported.
    os.environ.setdefault("RAY_AUTH_MODE", "token")
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    try:
        import ray
    except ModuleNotFoundError:
        raise UnavailableError(
            "executor 'ray' needs the package ray; install it with pip install 'rnnlab[ray]'"
        ) from None
    options: dict[str, Any] = {"log_to_driver": False, "configure_logging": False}
    if not address:
        options |= {"include_dashboard": False, "object_store_memory": OBJECT_STORE_BYTES}
        options |= {"num_cpus": cpus or None}
    try:
        if address not in ("", "auto"):
            _knock(address)
        ray.init(address or "local", **options)
    except ray.exceptions.AuthenticationError as error:
        raise UnavailableError(
            f"the Ray cluster at {address} does not accept this machine's token: "
            f"{error.message.partition(' Ensure')[0]}; {TOKEN}"
        ) from None
    except (RuntimeError, ValueError, OSError, ray.exceptions.RayError) as error:
        what = f"the Ray cluster at {address} cannot be joined" if address else "Ray does not start"
        raise UnavailableError(f"{what}: {' '.join(str(error).split())}") from None
    return ray


def _knock(address: str) -> None:
    """Find in a moment what Ray itself would try again for minutes."""
    from ray._private.authentication.authentication_token_setup import ensure_token_if_auth_enabled
    from ray._private.services import find_node_ids
    from ray._raylet import GcsClient  # type: ignore[attr-defined]

    host, _, port = address.rpartition(":")
    if not host or not port.isdecimal():
        raise UsageError(f"address must be HOST:PORT of a Ray cluster's head, not {address!r}")
    try:
        socket.create_connection((host.strip("[]"), int(port)), CONNECT_SECONDS).close()
    except OSError as error:
        raise UnavailableError(
            f"no Ray cluster can be reached at {address}: {error.strerror or error}"
        ) from None
    ensure_token_if_auth_enabled(create_token_if_missing=False)
    GcsClient(address=address)
    if not find_node_ids():  # type: ignore[no-untyped-call]
        raise UnavailableError(
            f"this machine is no node of the Ray cluster at {address}; make it one with "
            f"ray start --address={address} (with --num-cpus=0 where it is to make no runs)"
        )
