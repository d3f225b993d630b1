"""Which hosts may be spoken to: judged by name before a socket opens, and by address when it does."""

from __future__ import annotations

import functools
import ipaddress
import re
import socket
from typing import TYPE_CHECKING

from icefront_dask.errors import CatalogError

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["HostError", "addresses", "check_host", "is_listed"]

_NAME = re.compile(r"[a-z0-9_-]+(\.[a-z0-9_-]+)*\.?")
_NUMERIC = re.compile(r"(0x[0-9a-f]*|[0-9]+)(\.(0x[0-9a-f]*|[0-9]+)){0,3}\.?")
_PRIVATE_SUFFIXES = ("localhost", "local", "localdomain", "internal", "intranet", "lan", "home", "corp", "arpa", "test")
_PORTS = {None, 80, 443}
_NAT64 = ipaddress.ip_network("64:ff9b::/96")


class HostError(CatalogError):
    """A host that must not be spoken to: a private one, or one that a provider's table does not have."""


def is_listed(host: str, port: int | None, listed: Iterable[str]) -> bool:
    """Return whether a list of ``host``, ``host:port`` or ``*.suffix`` has a host."""
    name = host.lower().rstrip(".").strip("[]")
    for entry in listed:
        known = entry.lower()
        if known.startswith("*."):
            if name.endswith(known[1:]):
                return True
        elif name == known.strip("[]") or f"{name}:{port}" == known:
            return True
    return False


def check_host(host: str, port: int | None, allowed: Iterable[str] = ()) -> None:
    """Refuse a host that can be judged by its name alone; no name is resolved.

    Parameters
    ----------
    host : str
        Name or literal address, as in a URL.
    port : int or None
        ``None`` for the scheme's own.
    allowed : iterable of str
        Hosts of the setting ``catalog.allow_hosts``, which pass whatever they are.

    Raises
    ------
    HostError
        For literal addresses in any notation, names that only a local network knows, names with characters that
        are no plain ASCII, and ports besides 80 and 443.
    """
    if is_listed(host, port, allowed):
        return
    fault = _fault(host, port)
    if fault is not None:
        raise HostError(fault)


@functools.lru_cache(maxsize=4096)
def _fault(host: str, port: int | None) -> str | None:
    """Return why a host that is not allowed may not be spoken to."""
    name = host.lower()
    remedy = "add it to the setting catalog.allow_hosts if that is meant"
    if _literal(name) is not None:
        return f"{host!r} is a literal address; give the host's name, or {remedy}"
    if not _NAME.fullmatch(name):
        return f"{host!r} is not the plain name of a host; write it in ASCII"
    labels = name.rstrip(".").split(".")
    if len(labels) == 1 or labels[-1] in _PRIVATE_SUFFIXES:
        return f"{host!r} is a name of a private network; {remedy}"
    if port not in _PORTS:
        return f"port {port} of {host!r} is not one of HTTP; {remedy}"
    return None


def addresses(host: str, port: int, allowed: Iterable[str] = ()) -> list[str]:
    """Resolve a host once and return its addresses, all of them public unless the host is allowed.

    The connection goes to one of these and the name is not looked up again, so that a name which changes its
    address between check and use gains nothing.

    Raises
    ------
    HostError
        For a name that leads to a private, link-local, loopback, reserved or multicast address.
    OSError
        For a name that cannot be resolved.
    """
    found = [str(entry[4][0]) for entry in socket.getaddrinfo(host.strip("[]"), port, type=socket.SOCK_STREAM)]
    unique = list(dict.fromkeys(found))
    if is_listed(host, port, allowed):
        return unique
    for address in unique:
        if not _is_public(ipaddress.ip_address(address.partition("%")[0])):
            raise HostError(
                f"host {host!r} leads to {address}, which is no public address; add it to the setting "
                "catalog.allow_hosts if that is meant"
            )
    return unique


def _literal(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """Return the address that a host is written as: dotted, in one number, octal, hexadecimal or IPv6."""
    try:
        return ipaddress.ip_address(host.strip("[]").partition("%")[0])
    except ValueError:
        pass
    if not _NUMERIC.fullmatch(host):
        return None
    try:
        return ipaddress.IPv4Address(socket.inet_aton(host.rstrip(".")))
    except OSError:
        return ipaddress.IPv4Address(0)  # all digits and dots, and no name of any host


def _is_public(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bool:
    """Return whether an address, and the IPv4 address that it may carry, is a public one of one host."""
    if isinstance(address, ipaddress.IPv6Address):
        carried = address.ipv4_mapped or address.sixtofour
        if carried is None and address in _NAT64:
            carried = ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
        if carried is None and address.teredo is not None:
            carried = address.teredo[1]
        if carried is not None:
            return _is_public(carried)
    return address.is_global and not address.is_multicast
