#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# The main job: it must succeed, leave nothing behind, and fail on one wrong
# bit. KTAP.
number=0

# check TEXT COMMAND...: one result
check()
{
	local text=$1
	shift
	number=$((number + 1))
	if "$@"; then
		echo "ok $number $text"
	else
		echo "# ${out//$'\n'/$'\n'# }"
		echo "not ok $number $text"
	fi
}

has()
{
	[[ $out == *$1* ]]
}

# shellcheck disable=SC2317 # called through check
no_groups()
{
	[ -z "$(alink group show 2>/dev/null | tail -n +2)" ]
}

# shellcheck disable=SC2317 # called through check
runs_again()
{
	alink-demo --epochs 1 "$ALINK_DATA" >/dev/null
}

echo 1..10
out=$(alink-demo --epochs 4 "$ALINK_DATA" 2>&1)
check "training succeeds" test $? -eq 0
check "with 8 ranks" has "all 8 ranks got the same bits in each of 48"
check "bits are the host's" has "ok  they are the host's sum"
check "every plane carried traffic" has "ok  every plane carried its part"
check "accuracy is that of one process" has "ok  accuracy"
check "no group stays behind" no_groups

out=$(alink-demo --epochs 1 --spoil 5 "$ALINK_DATA" 2>&1)
check "one wrong bit makes it fail" test $? -eq 1
check "and it says where" has "WRONG: step 5"
out=$(alink-demo "$ALINK_DATA.none" 2>&1)
check "no data set: an error that names it" has "$ALINK_DATA.none"
check "it works after a failure" runs_again
