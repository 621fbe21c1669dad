"""TLS in front of the provider, which has none of its own: an issuer has to be https where public_url is."""

from __future__ import annotations

import contextlib
import socket
import socketserver
import ssl
import threading

from certificates import Certificates


class TlsFront(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True
    request_queue_size = 128

    def __init__(self, certificates: Certificates):
        super().__init__(("127.0.0.1", 0), _Pipe)
        self.context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        self.context.load_cert_chain(certificates.certificate, certificates.key)
        # Known once the provider listens.
        self.behind: tuple[str, int] | None = None
        threading.Thread(target=self.serve_forever, daemon=True).start()

    @property
    def origin(self) -> str:
        return f"https://127.0.0.1:{self.server_address[1]}"

    def handle_error(self, *_: object) -> None:
        """A client that closes a connection is none."""


class _Pipe(socketserver.BaseRequestHandler):
    server: TlsFront

    def handle(self) -> None:
        with (
            self.server.context.wrap_socket(self.request, server_side=True) as client,
            socket.create_connection(self.server.behind) as provider,
        ):
            back = threading.Thread(target=_pass_on, args=(provider, client))
            back.start()
            _pass_on(client, provider)
            back.join()


def _pass_on(source: socket.socket, sink: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(65536):
            sink.sendall(data)
    with contextlib.suppress(OSError):
        sink.shutdown(socket.SHUT_WR)
