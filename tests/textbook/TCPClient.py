#!/usr/bin/python3
# SPDX-License-Identifier: ISC
"""The TCP client of Kurose & Ross, section 2.7, written anew: no newline is sent, one recv() is done.

usage: TCPClient.py [HOST [PORT]]        default: localhost, port 12000
"""
import sys
from socket import AF_INET, AF_INET6, SOCK_STREAM, socket

host = sys.argv[1] if len(sys.argv) > 1 else "localhost"
port = int(sys.argv[2]) if len(sys.argv) > 2 else 12000

with socket(AF_INET6 if ":" in host else AF_INET, SOCK_STREAM) as client:
    client.connect((host, port))
    sentence = input("A sentence in lower case: ")
    client.send(sentence.encode())
    print("The server says:", client.recv(1024).decode())
