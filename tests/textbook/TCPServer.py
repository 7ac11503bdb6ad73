#!/usr/bin/python3
# SPDX-License-Identifier: ISC
"""The TCP server of Kurose & Ross, section 2.7, written anew: one answer a connection, then it closes.

usage: TCPServer.py [HOST [PORT]]        default: every IPv4 address, port 12000
"""
import sys
from socket import AF_INET, AF_INET6, SO_REUSEADDR, SOCK_STREAM, SOL_SOCKET, socket

host = sys.argv[1] if len(sys.argv) > 1 else ""
port = int(sys.argv[2]) if len(sys.argv) > 2 else 12000

with socket(AF_INET6 if ":" in host else AF_INET, SOCK_STREAM) as welcoming:
    welcoming.setsockopt(SOL_SOCKET, SO_REUSEADDR, 1)  # a second start need not wait
    welcoming.bind((host, port))
    welcoming.listen(1)
    print("Ready on TCP port", port, flush=True)
    while True:
        connection, _ = welcoming.accept()
        with connection:
            connection.send(connection.recv(1024).decode().upper().encode())
