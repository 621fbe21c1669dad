"""HTTP/2, with headers exactly as they are given."""

from __future__ import annotations

import socket
import ssl
import time

import h2.config
import h2.connection
import h2.events
import h2.exceptions

from http1 import PATIENCE_SECONDS
from messages import Answer, Front, Headers, Request


def ask(front: Front, request: Request, extra: Headers) -> Answer:
    """One request on a connection of its own. A proxy that resets it, or the connection, gives status 0."""
    plain = socket.create_connection(("127.0.0.1", front.port), PATIENCE_SECONDS, (front.client, 0))
    try:
        with front.tls("h2").wrap_socket(plain, server_hostname=request.server) as tls:
            return _exchange(tls, request, extra)
    except (ConnectionError, ssl.SSLError, h2.exceptions.ProtocolError):
        return Answer(0)


def _fields(request: Request, extra: Headers) -> list[tuple[bytes, bytes]]:
    """`:authority` is the request's host; a Host header among `headers` goes beside it. As bytes, since h2 would make
    UTF-8 of what is none."""
    pseudo = [(":method", request.method), (":scheme", "https"), (":path", request.target)]
    pseudo += [(":authority", request.host or request.server)]
    pseudo += [(":protocol", request.protocol)] if request.protocol else []
    fields = [*pseudo, *((name.lower(), value) for name, value in extra + request.headers)]
    return [(name.encode("latin-1"), value.encode("latin-1")) for name, value in fields]


def _exchange(tls: ssl.SSLSocket, request: Request, extra: Headers) -> Answer:
    connection = h2.connection.H2Connection(
        h2.config.H2Configuration(
            client_side=True,
            header_encoding="latin-1",
            validate_outbound_headers=False,
            normalize_outbound_headers=False,
            validate_inbound_headers=False,
        )
    )
    connection.initiate_connection()
    ends = not request.body and not request.trailers and not request.protocol
    connection.send_headers(1, _fields(request, extra), end_stream=ends)
    if request.body_after_seconds:
        tls.sendall(connection.data_to_send())
        time.sleep(request.body_after_seconds)
    if request.body or request.trailers:
        # Fits into the first window (65,535 bytes) and one frame, so that nothing has to be waited for.
        connection.send_data(1, request.body, end_stream=not request.trailers)
    if request.trailers:
        connection.send_headers(1, [(name.lower(), value) for name, value in request.trailers], end_stream=True)
    tls.sendall(connection.data_to_send())

    status, headers, body = 0, [], b""
    while data := tls.recv(65536):
        for event in connection.receive_data(data):
            if isinstance(event, h2.events.ResponseReceived):
                status = int(dict(event.headers)[":status"])
                headers = [(name, value) for name, value in event.headers if not name.startswith(":")]
                if request.protocol and status == 200:
                    # The tunnel is there, and stays open.
                    return Answer(status, headers)
            elif isinstance(event, h2.events.DataReceived):
                body += event.data
                connection.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
            elif isinstance(event, (h2.events.StreamEnded, h2.events.ConnectionTerminated)):
                return Answer(status, headers, body)
            elif isinstance(event, h2.events.StreamReset):
                return Answer(status, headers, body)
        tls.sendall(connection.data_to_send())
    return Answer(status, headers, body)
