#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""python-threads: python-threads.py stream|datagram PORT|PATH: a thread for each connection."""

import socket
import sys
import threading


def converse(connection):
    with connection:
        try:
            while data := connection.recv(131072):
                connection.sendall(data.upper())
        except ConnectionError:
            pass


def serve_streams(listener):
    listener.listen(4096)
    while True:
        connection, _ = listener.accept()
        threading.Thread(target=converse, args=(connection,), daemon=True).start()


def serve_datagrams(endpoint):
    while True:
        data, source = endpoint.recvfrom(65536)
        endpoint.sendto(data.upper(), source)


def main():
    kind, address = sys.argv[1:]
    is_path = address.startswith("/")
    endpoint = socket.socket(socket.AF_UNIX if is_path else socket.AF_INET,
                             socket.SOCK_DGRAM if kind == "datagram" else socket.SOCK_STREAM)
    if kind == "stream" and not is_path:
        endpoint.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        endpoint.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # of those accepted from it, too
    endpoint.bind(address if is_path else ("127.0.0.1", int(address)))
    threading.stack_size(256 << 10)
    (serve_datagrams if kind == "datagram" else serve_streams)(endpoint)


main()
