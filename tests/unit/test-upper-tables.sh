#!/bin/sh
# SPDX-License-Identifier: ISC
# The tables are what their generators make of Unicode's data, where that data is installed.
# usage: test-upper-tables.sh DIRECTORY-OF-GENERATORS [DIRECTORY-OF-DATA]
sources=$1 directory=${2:-/usr/share/unicode}
export PYTHONDONTWRITEBYTECODE=1

skip() {
	echo "skipped: $*"
	exit 77
}

same() { # GENERATOR TABLES
	python3 "$sources/$1" "$directory" | diff -u "$sources/$2" - || exit 1
}

[ -r "$directory/UnicodeData.txt" ] || skip "no $directory/UnicodeData.txt (Debian: unicode-data)"
version=$(sed -n 's/^#define UPPER_UNICODE_VERSION "\(.*\)"$/\1/p' "$sources/upper-tables.h")
installed=$(python3 "$sources/generate-upper.py" --version "$directory") || exit 1
[ "$installed" = "$version" ] || skip "the tables are of Unicode $version, installed is $installed"
same generate-upper.py upper-tables.h
same generate-upper-avx512.py upper-avx512-tables.h
same generate-upper-avx2.py upper-avx2-tables.h
echo "Unicode $version: the tables are what the generators make"
