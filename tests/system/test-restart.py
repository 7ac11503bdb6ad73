# SPDX-License-Identifier: ISC
"""A restart that nobody notices: connections live on in systemd's store, whatever they are in the middle of."""

import threading

import clients
import machine
import support
from machine import run, show
from support import connect, read_exactly

SERVICE = "uppercase-tcp.service"

RESTARTS = machine.count("RESTARTS", 20)


def setUpModule():
    machine.install()


def restart():
    run("systemctl", "restart", SERVICE)


class Restarts(machine.MachineTest):

    def setUp(self):
        super().setUp()
        run("systemctl", "start", "uppercase-tcp.socket")

    def test_silent_connections_live_on(self):
        connections = [connect("127.0.0.1", 12000) for _ in range(10)]
        for number, connection in enumerate(connections):
            connection.sendall(b"before %d" % number)
            self.assertEqual(read_exactly(connection, 8), b"BEFORE %d" % number)
        first = show(SERVICE, "MainPID")
        restart()
        self.assertNotEqual(show(SERVICE, "MainPID"), first)
        for number, connection in enumerate(connections):
            self.assertEqual(support.converse(connection, b"after %d" % number), b"AFTER %d" % number)
        self.assertEqual(show(SERVICE, "NFileDescriptorStore"), "0", "nothing is left in the store")

    def test_unfinished_character_lives_on(self):
        """Its first bytes go to one process, its last to the next."""
        text = "\u0390".encode() + "\ufb01".encode()
        for cut in range(1, len(text)):
            with self.subTest(cut=cut), connect("127.0.0.1", 12000) as connection:
                whole = support.converse(connect("127.0.0.1", 12000), text)
                connection.sendall(text[:cut])
                # Answered up to the character that is cut, so it was read.
                before = 6 if cut >= 2 else 0
                got = read_exactly(connection, before)
                support.until(lambda: "1 open" in show(SERVICE, "StatusText"), "the connection")
                restart()
                self.assertEqual(got + support.converse(connection, text[cut:]), whole)

    def test_unsent_answer_lives_on(self):
        """The client reads nothing before the restart: buffers are full, and an answer waits."""
        request = b"abcdefghijklmnop" * (1 << 18)
        connection = connect("127.0.0.1", 12000)
        sender = threading.Thread(target=connection.sendall, args=(request,))
        sender.start()
        support.until(lambda: "1 open" in show(SERVICE, "StatusText"), "the connection")
        for _ in range(3):
            restart()
        self.assertEqual(read_exactly(connection, len(request)), request.upper())
        sender.join()
        self.assertEqual(support.converse(connection, b"end"), b"END")

    def test_restarts_under_load(self):
        """No connect is refused, no connection cut, no byte lost or doubled."""
        kinds = [clients.Persistent] * 64 + [clients.OneShot] * 64
        with clients.asking(*kinds) as asking:
            for _ in range(RESTARTS):
                restart()
        self.assertTrue(all(client.answers > RESTARTS for client in asking))
        self.assertEqual(show(SERVICE, "Result"), "success")
        machine.report(f"{RESTARTS} restarts under 128 clients: none lost, "
                       f"{clients.count_answers(asking)} answers right")

    def test_restart_of_one_that_has_only_begun(self):
        """Who does not listen for the signal yet is ended by it, which is no failure."""
        self.configure(SERVICE, "[Service]", "Type=exec", "RootDirectory=", "SystemCallFilter=", "ExecStart=",
                       "ExecStart=/bin/sleep infinity")
        run("systemctl", "start", SERVICE)
        run("systemctl", "kill", "--signal=USR2", SERVICE)
        support.until(lambda: show(SERVICE, "ActiveState") == "inactive", "its end")
        self.assertEqual(show(SERVICE, "Result"), "success")
        self.assertEqual(show(SERVICE, "NRestarts"), "0")

    def test_stop_drains_and_closes(self):
        with connect("127.0.0.1", 12000) as connection:
            connection.sendall(b"before")
            self.assertEqual(read_exactly(connection, 6), b"BEFORE")
            run("systemctl", "stop", "uppercase-tcp.socket", SERVICE)
            self.assertEqual(connection.recv(1), b"", "the end, not a reset")
        self.assertEqual(show(SERVICE, "Result"), "success")

    def test_stop_keeps_connections_if_told_to(self):
        """The drop-in of uppercased(8): they wait in the store until somebody new asks, or are cleaned away."""
        if not show(SERVICE, "FileDescriptorStorePreserve"):
            self.skipTest("FileDescriptorStorePreserve= came with systemd 254")
        self.configure(SERVICE, "[Service]", "KillSignal=SIGUSR2", "FileDescriptorStorePreserve=yes")
        text = "\ufb01".encode()
        waiting, cleaned = connect("127.0.0.1", 12000), connect("127.0.0.1", 12000)
        waiting.sendall(b"before" + text[:1])
        self.assertEqual(read_exactly(waiting, 6), b"BEFORE")
        run("systemctl", "stop", SERVICE)
        self.assertEqual(machine.our_processes(), [])
        self.assertEqual(show(SERVICE, "SubState"), "dead-resources-pinned")
        waiting.sendall(text[1:])
        self.assertEqual(support.converse(connect("127.0.0.1", 12000), b"new"), b"NEW")
        self.assertEqual(support.converse(waiting, b"after"), b"FIAFTER")

        run("systemctl", "stop", SERVICE)
        run("systemctl", "clean", "--what=fdstore", SERVICE)
        with cleaned:
            self.assertEqual(cleaned.recv(1), b"")
        self.assertEqual(show(SERVICE, "SubState"), "dead")


if __name__ == "__main__":
    machine.main()
