#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# alink.ko and its users load and unload 20 times; in use, alink.ko stays.
set -eu

cycles=20
case $(uname -r) in
# Slow, and lane "leak" does it a hundred times there.
*-alink-*) cycles=4 ;;
esac

mapfile -t users < <(find "/lib/modules/$(uname -r)/updates" -name 'alink_*.ko' \
	-printf '%f\n' | sed 's/\.ko$//' | sort)

for i in $(seq "$cycles"); do
	for m in "${users[@]}"; do
		modprobe -r "$m"
	done
	modprobe -r alink
	if [ -e /sys/class/alink ] || [ -e /sys/module/alink ]; then
		echo "cycle $i: alink.ko left something behind"
		exit 1
	fi
	modprobe -a alink "${users[@]}"
	[ -d /sys/class/alink ] || { echo "cycle $i: no class"; exit 1; }
	if [ "${#users[@]}" -gt 0 ] && rmmod alink 2>/dev/null; then
		echo "cycle $i: alink.ko went while ${users[*]} used it"
		exit 1
	fi
done
echo "$cycles cycles with ${#users[@]} users"
