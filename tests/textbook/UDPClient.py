#!/usr/bin/python3
# SPDX-License-Identifier: ISC
"""The UDP client of Kurose & Ross, section 2.7, written anew: one sentence there, one answer back.

usage: UDPClient.py [HOST [PORT]]        default: localhost, port 12000
"""
import sys
from socket import AF_INET, AF_INET6, SOCK_DGRAM, socket

host = sys.argv[1] if len(sys.argv) > 1 else "localhost"
port = int(sys.argv[2]) if len(sys.argv) > 2 else 12000

with socket(AF_INET6 if ":" in host else AF_INET, SOCK_DGRAM) as client:
    sentence = input("A sentence in lower case: ")
    client.sendto(sentence.encode(), (host, port))
    answer, _ = client.recvfrom(2048)
    print(answer.decode())
