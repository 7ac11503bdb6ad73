#!/bin/sh
# SPDX-License-Identifier: ISC
# upper-tables.h is what its generator makes of Unicode's data, where that data is installed.
# usage: test-upper-tables.sh GENERATOR TABLES [DIRECTORY]
generator=$1 tables=$2 directory=${3:-/usr/share/unicode}

skip() {
	echo "skipped: $*"
	exit 77
}

[ -r "$directory/UnicodeData.txt" ] || skip "no $directory/UnicodeData.txt (Debian: unicode-data)"
version=$(sed -n 's/^#define UPPER_UNICODE_VERSION "\(.*\)"$/\1/p' "$tables")
installed=$(python3 "$generator" --version "$directory") || exit 1
[ "$installed" = "$version" ] || skip "the tables are of Unicode $version, installed is $installed"
python3 "$generator" "$directory" | diff -u "$tables" - &&
	echo "Unicode $version: the tables are what the generator makes"
