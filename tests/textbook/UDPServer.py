#!/usr/bin/python3
# SPDX-License-Identifier: ISC
"""The UDP server of Kurose & Ross, section 2.7, written anew: each datagram back in upper case.

usage: UDPServer.py [HOST [PORT]]        default: every IPv4 address, port 12000
"""
import sys
from socket import AF_INET, AF_INET6, SOCK_DGRAM, socket

host = sys.argv[1] if len(sys.argv) > 1 else ""
port = int(sys.argv[2]) if len(sys.argv) > 2 else 12000

with socket(AF_INET6 if ":" in host else AF_INET, SOCK_DGRAM) as server:
    server.bind((host, port))
    print("Ready on UDP port", port, flush=True)
    while True:
        request, client = server.recvfrom(2048)
        server.sendto(request.decode().upper().encode(), client)
