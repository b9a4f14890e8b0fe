# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# Shared by the scripts that fetch and build things: where the cache is, how
# progress and errors look, and how to ask Debian's archive for a file
# without touching the configuration of the host.

ALINK_ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
ALINK_CACHE=${ALINK_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/alink}
export ALINK_ROOT ALINK_CACHE

die()
{
	printf 'error: %s\n' "$*" >&2
	exit 1
}

note()
{
	printf '    %s\n' "$*" >&2
}

# run_step TEXT COMMAND...: one line when it starts, one with the time when it
# is done. Output goes to a log, which is shown only when the command fails.
run_step()
{
	local text=$1 log start rc=0 pid t
	shift

	mkdir -p "$ALINK_CACHE/log"
	log=$ALINK_CACHE/log/$(printf '%s' "$text" | tr -cs 'A-Za-z0-9.' '-').$$.log
	start=$SECONDS
	printf '==> %s\n' "$text" >&2
	"$@" >"$log" 2>&1 &
	pid=$!
	# shellcheck disable=SC2064 # the pid of this very step
	trap "kill $pid 2>/dev/null; exit 130" INT TERM
	t=0
	while kill -0 "$pid" 2>/dev/null; do
		sleep 0.2
		t=$((t + 1))
		if [ $((t % 75)) -eq 0 ]; then
			note "$((SECONDS - start)) s: $(step_progress "$log")"
		fi
	done
	wait "$pid" || rc=$?
	trap - INT TERM
	if [ "$rc" -ne 0 ]; then
		tail -n 40 "$log" >&2
		printf 'error: %s failed (exit status %d), whole log: %s\n' \
			"$text" "$rc" "$log" >&2
		return "$rc"
	fi
	rm -f "$log"
	printf '    done in %d s\n' "$((SECONDS - start))" >&2
}

# The last thing that a log says, short enough for one line; ninja's counter
# "[12/345]" makes a good one.
step_progress()
{
	tr '\r' '\n' <"$1" | tail -n 1 | cut -c 1-70
}

# with_lock NAME COMMAND...: only one run at a time does COMMAND.
with_lock()
{
	local lock=$ALINK_CACHE/$1.lock
	shift

	mkdir -p "$ALINK_CACHE" || die "cannot create the cache $ALINK_CACHE"
	(
		if ! flock -n 9; then
			note "another run holds $lock, waiting for it"
			flock 9
		fi
		"$@"
	) 9>"$lock"
}

# The mirror that the host's own apt configuration uses.
mirror_uri()
{
	# shellcheck disable=SC2016 # apt's format string, not the shell's
	local fmt='$(REPO_URI) $(RELEASE)'
	local codename uri

	codename=$(. /etc/os-release && echo "${VERSION_CODENAME:-bookworm}")
	uri=$(apt-get indextargets --format "$fmt" 'Created-By: Packages' |
		awk -v c="$codename" '$2 == c && $1 ~ /debian\/?$/ { print $1; exit }')
	[ -n "$uri" ] || uri=$(apt-get indextargets --format "$fmt" \
		'Created-By: Packages' | awk -v c="$codename" \
		'$2 == c { print $1; exit }')
	[ -n "$uri" ] || die "apt has no source for Debian $codename; see sources.list(5)"
	printf '%s\n' "${uri%/}"
}

# papt TOOL ARGS...: an apt tool with a private configuration (backports and
# newer sources), its own lists and cache, and the archive's key.
papt()
{
	local tool=$1 dir=$ALINK_CACHE/apt
	shift

	"$tool" -o Dir::Etc::SourceList="$dir/sources.list" \
		-o Dir::Etc::SourceParts=/dev/null \
		-o Dir::Etc::Preferences=/dev/null \
		-o Dir::Etc::PreferencesParts=/dev/null \
		-o Dir::State::Lists="$dir/lists" \
		-o Dir::Cache="$dir/cache" \
		-o APT::Sandbox::User=root \
		-o Acquire::Retries=2 \
		-o Acquire::http::Timeout=30 "$@"
}

# papt_update SOURCE-LINES: SOURCE-LINES without type options and mirror, such
# as "deb bookworm-backports".
papt_update()
{
	local dir=$ALINK_CACHE/apt uri line
	local key=/usr/share/keyrings/debian-archive-keyring.gpg

	[ -r "$key" ] || die "no $key: install debian-archive-keyring"
	uri=$(mirror_uri) || exit 1
	mkdir -p "$dir/lists/partial" "$dir/cache/archives/partial"
	for line in "$@"; do
		printf '%s [signed-by=%s] %s %s main\n' "${line%% *}" "$key" \
			"$uri" "${line#* }"
	done >"$dir/sources.list"
	papt apt-get -qq update
}

# fetch_pool PATH SHA256 DEST: a file of Debian's pool, checked.
fetch_pool()
{
	local uri

	uri=$(mirror_uri) || exit 1
	/usr/lib/apt/apt-helper -o APT::Sandbox::User=root \
		-o Acquire::Retries=2 -o Acquire::http::Timeout=30 \
		download-file "$uri/$1" "$3" "SHA256:$2"
}
