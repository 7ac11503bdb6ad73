# SPDX-License-Identifier: ISC
"""The README's first command: it shows the answers, and takes everything away again."""

import os
import subprocess

import support

QUICKSTART = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../packaging/quickstart")


@support.needs_own_network
class Quickstart(support.SystemTest):

    def setUp(self):
        super().setUp()
        # What it must not write to, in our own mount namespace. It asks no systemd: that is in another network.
        for folder in "/usr", "/etc":
            subprocess.run(["mount", "--bind", folder, folder], check=True)
            subprocess.run(["mount", "-o", "remount,bind,ro", folder], check=True)
        subprocess.run(["mount", "-t", "tmpfs", "none", "/run"], check=True)

    def test_answers_and_leaves_nothing(self):
        done = subprocess.run([QUICKSTART], env={**os.environ, "TMPDIR": self.directory}, stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.assertEqual(done.stdout.splitlines()[:3],
                         ["Building", "UDP: hello world \u2192 HELLO WORLD", "TCP: hello world \u2192 HELLO WORLD"])
        self.assertRegex(done.stdout.splitlines()[3], "^Started by .*\\.$")
        self.assertEqual(os.listdir(self.directory), [])
        self.assertEqual(os.listdir("/run"), [])


if __name__ == "__main__":
    support.main()
