"""Where a server listens."""

import socket


def bound(host: str, port: int) -> socket.socket:
    """Returns a socket that is bound to an address, and does not listen yet.

    Raises:
        OSError: if that can't be.
    """
    place = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    try:
        place.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        place.bind((host, port))
    except (OSError, OverflowError) as error:
        place.close()
        raise OSError(
            f"The server can't listen on {host}, port {port}: {error}. Choose a free port from 1 "
            "to 65535, or 0 for any free port, and an address of this machine."
        ) from error
    return place
