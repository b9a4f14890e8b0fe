#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# The work of alink-bench is right; its figures are nobody's test. KTAP.
echo 1..3
out=$(alink-bench --quick 2>&1)
status=$?
echo "# ${out//$'\n'/$'\n'# }"
[ "$status" -eq 0 ] && echo "ok 1 every copy is right" ||
	echo "not ok 1 every copy is right"
[ "$(grep -c 'GB/s' <<<"$out")" -eq 9 ] && echo "ok 2 nine rows" ||
	echo "not ok 2 nine rows"
out=$(alink-bench --quick --nvme /dev/none 2>&1)
[ $? -eq 1 ] && [[ $out == *"/dev/none: No such file"* ]] &&
	echo "ok 3 a missing peer is named" || echo "not ok 3 a missing peer is named"
