"""OCPP servers of others, each runnable on a developer's machine from the ordinary package registries (README.md)."""

from __future__ import annotations

from typing import Final

from bench.peers import codetics_ocpp, go_ocpp, java_oca_ocpp, ocpp_kit, ocpp_rpc, python_ocpp
from bench.peers.peer import CACHE, KNOWN_STATIONS, STATION_PREFIX, Peer, PeerUnavailable, Running

__all__ = ["CACHE", "KNOWN_STATIONS", "PEERS", "STATION_PREFIX", "Peer", "PeerUnavailable", "Running"]

PEERS: Final = (
    python_ocpp.PEER,
    go_ocpp.PEER,
    ocpp_rpc.PEER,
    java_oca_ocpp.PEER,
    ocpp_kit.PEER,
    codetics_ocpp.PEER,
)
