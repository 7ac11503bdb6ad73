#!/usr/bin/python3
# SPDX-License-Identifier: ISC
"""Make the corpora of the text bench: one UTF-8 file per language in DIRECTORY.

usage: fetch-corpora.py DIRECTORY

The texts are LibreOffice's help, which Debian ships translated into every language that the bench
asks for, so that the corpora differ in language and in little else. Packages are downloaded by
apt-get and unpacked, never installed. The markup is dropped, and of a translation the paragraphs
that are still English too. mixed.txt has a line of each language in turn; random-characters.txt has
characters of one to four bytes, each length and each character of it as likely as the others;
random-bytes.txt is what it says.
"""

import html.parser
import os
import random
import subprocess
import sys
import tarfile
import tempfile

LANGUAGES = {
    "english": "en-us", "german": "de", "french": "fr", "polish": "pl", "turkish": "tr",
    "vietnamese": "vi", "greek": "el", "russian": "ru", "japanese": "ja", "chinese": "zh-cn",
    "korean": "ko", "hindi": "hi",
}


class Paragraphs(html.parser.HTMLParser):
    """The text of a page's elements that hold running text, one line each."""
    WANTED = {"p", "h1", "h2", "h3", "h4", "li", "td"}

    def __init__(self):
        super().__init__()
        self.lines, self.line, self.depth = [], [], 0

    def end_line(self):
        text = " ".join("".join(self.line).split())
        if len(text) > 20:
            self.lines.append(text)
        self.line = []

    def handle_starttag(self, tag, attrs):
        if tag in self.WANTED:
            self.end_line()
            self.depth += 1

    def handle_endtag(self, tag):
        if tag in self.WANTED:
            self.end_line()
            self.depth = max(0, self.depth - 1)

    def handle_data(self, data):
        if self.depth:
            self.line.append(data)


def pages(package):
    with tempfile.TemporaryDirectory() as directory:
        # apt's own user may not write here; it says so on stderr and does it as the caller.
        subprocess.run(["apt-get", "-qq", "download", package], cwd=directory, check=True)
        name, = os.listdir(directory)
        with subprocess.Popen(["dpkg-deb", "--fsys-tarfile", os.path.join(directory, name)],
                              stdout=subprocess.PIPE) as unpack:
            with tarfile.open(fileobj=unpack.stdout, mode="r|") as tar:
                for member in tar:
                    if member.isfile() and member.name.endswith(".html"):
                        yield tar.extractfile(member).read().decode()


def read_lines(package):
    """Every different line, in the order of the pages."""
    lines = {}
    for page in pages(package):
        parser = Paragraphs()
        parser.feed(page)
        parser.end_line()
        lines.update(dict.fromkeys(parser.lines))
    return lines


def write_file(path, lines):
    with open(path + ".new", "w", encoding="utf-8") as file:
        file.writelines(line + "\n" for line in lines)
    os.rename(path + ".new", path)
    print("%s: %d bytes" % (path, os.path.getsize(path)))


def random_characters(count):
    """By the length of their UTF-8 first, or nearly all would have four bytes."""
    limits = ((0x20, 0x80), (0x80, 0x800), (0x800, 0xd800), (0x10000, 0x110000))
    return "".join(chr(random.randrange(*random.choice(limits))) for _ in range(count))


def main():
    if len(sys.argv) != 2:
        sys.exit("usage: fetch-corpora.py DIRECTORY")
    directory = sys.argv[1]
    os.makedirs(directory, exist_ok=True)
    corpora = {language: read_lines("libreoffice-help-" + code)
               for language, code in LANGUAGES.items()}
    english = corpora["english"]
    for language, lines in corpora.items():
        if language != "english":
            corpora[language] = [line for line in lines if line not in english]
        write_file(os.path.join(directory, language + ".txt"), corpora[language])
    turns = zip(*corpora.values())
    write_file(os.path.join(directory, "mixed.txt"), (line for turn in turns for line in turn))
    random.seed(1)  # the same on every machine
    write_file(os.path.join(directory, "random-characters.txt"), [random_characters(500000)])
    with open(os.path.join(directory, "random-bytes.txt"), "wb") as file:
        file.write(random.randbytes(1000000))


if __name__ == "__main__":
    main()
