#!/bin/sh
# SPDX-License-Identifier: ISC
# Every message id of the daemon stands in the catalog once, explained, and no other does.
# usage: test-catalog.sh LOG.C CATALOG
ids=$(sed -n 's/^\t\[LOG_KIND_[A-Z]*\] = {LOG_[A-Z]*, "\([0-9a-f]\{32\}\)"},$/\1/p' "$1" | sort)
explained=$(sed -n 's/^-- \([0-9a-f]\{32\}\)$/\1/p' "$2" | sort)
kinds=$(grep -c '^	LOG_KIND_[A-Z]*,.*/\*' "${1%.c}.h")

[ "$(echo "$ids" | wc -l)" = "$kinds" ] || { echo "$kinds kinds of messages, but other ids: $ids"; exit 1; }
[ "$ids" = "$explained" ] || { echo "logged:" $ids; echo "explained:" $explained; exit 1; }
[ "$(echo "$ids" | uniq)" = "$ids" ] || { echo "an id twice:" $ids; exit 1; }
# Each has its headers, an empty line, and words.
awk '/^-- / { id = $2; state = "headers"; n++ }
     state == "headers" && /^Subject: ./ { subjects++ }
     state == "headers" && /^$/ { state = "text" }
     state == "text" && /[a-z]/ { words += !told[id]++ }
     END { exit !(subjects == n && words == n) }' "$2" || { echo "an id without subject or words"; exit 1; }

# What systemd makes of it, where it is: all ids, and nothing to say on the way.
command -v journalctl >/dev/null || { echo "skipped the rest: no journalctl"; exit 0; }
root=$(mktemp -d) && trap 'rm -rf "$root"' EXIT
mkdir -p "$root/usr/lib/systemd/catalog" "$root/var/lib/systemd/catalog" && cp "$2" "$root/usr/lib/systemd/catalog"
said=$(journalctl --root="$root" --update-catalog 2>&1) && [ -z "$said" ] || { echo "$said"; exit 1; }
[ "$(journalctl --root="$root" --list-catalog | cut -d' ' -f1 | sort)" = "$ids" ] || exit 1
echo "$kinds kinds of messages, each with its id and its words"
