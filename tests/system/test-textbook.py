# SPDX-License-Identifier: ISC
"""The four programs of the textbook (tests/textbook) against ours, both ways."""

import support
from support import ANSWER, SENTENCE, program, textbook

PROMPT = "A sentence in lower case: "
TCP_ANSWER = PROMPT + "The server says: " + ANSWER + "\n"
UDP_ANSWER = PROMPT + ANSWER + "\n"

# Three sentences, one of them empty of letters, and their answers: one line each.
SENTENCES = f"hello world\n{SENTENCE}\n123\n"
ANSWERS = f"HELLO WORLD\n{ANSWER}\n123\n"


class TextbookClient(support.SystemTest):
    """Its clients send no newline and do one recv: they wait for an answer before they go on."""

    def test_tcp_client_asks_our_daemon(self):
        port = support.free_port()
        self.start_daemon(f"--listen-stream={port}")
        for host in "127.0.0.1", "::1":
            self.expect(textbook("TCPClient.py", host, port), SENTENCE, TCP_ANSWER)

    def test_udp_client_asks_our_daemon(self):
        port = support.free_port()
        self.start_daemon(f"--listen-datagram={port}")
        for host in "127.0.0.1", "::1":
            self.expect(textbook("UDPClient.py", host, port), SENTENCE, UDP_ANSWER)

    def test_tcp_client_asks_our_handler(self):
        port = support.free_port()
        self.start_activator("-l", f"127.0.0.1:{port}", "--accept", "--inetd", *program("uppercase"))
        for _ in range(3):
            self.expect(textbook("TCPClient.py", "127.0.0.1", port), SENTENCE, TCP_ANSWER)


class TextbookServer(support.SystemTest):
    """Its TCP server answers one recv and closes; our client asks for every sentence anew."""

    def test_our_client_asks_the_tcp_server(self):
        for host in "127.0.0.1", "::1":
            port = support.free_port()
            self.start_textbook_server("TCPServer.py", host, port)
            self.expect([*program("uppercase-client"), "--tcp", host, port], SENTENCES, ANSWERS)

    def test_our_client_asks_the_udp_server(self):
        for host in "127.0.0.1", "::1":
            port = support.free_port()
            self.start_textbook_server("UDPServer.py", host, port)
            self.expect([*program("uppercase-client"), "--udp", host, port], SENTENCES, ANSWERS)

    def test_our_client_asks_with_one_message(self):
        port = support.free_port()
        self.start_textbook_server("TCPServer.py", "127.0.0.1", port)
        self.start_textbook_server("UDPServer.py", "127.0.0.1", port)
        for transport in "--tcp", "--udp":
            self.expect([*program("uppercase-client"), transport, f"--message={SENTENCE}",
                         "127.0.0.1", port], "", ANSWER + "\n")


if __name__ == "__main__":
    support.main()
