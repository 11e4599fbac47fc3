#!/bin/bash
# The configuration as an administrator meets it: mistakes are named with file, line, key and what is allowed.
build=${1:?build directory}
. "$(dirname "$0")/../clients/lib.sh"
concordd=$build/src/server/concordd
conf=$work/concord.conf

cat >"$conf" <<'C'
[lock]
lease_break_timeout = 7s
[share Projects]
path = /srv/projects
clients = 10.0.0.0/8(rw,root_squash) fe80::/10(ro) *(ro,all_squash)
C
says() { # WHAT COMMAND...
    local want=$1
    shift
    "$@" 2>&1 | grep -qF -- "$want"
}
check "a good file is good" "$concordd" -c "$conf" --check-config
check "values say where they came from" says "lock.lease_break_timeout = 7s    # $conf:2" "$concordd" -c "$conf" --print-config
check "the environment wins over the file" says "lock.lease_break_timeout = 5s    # CONCORD_LOCK_LEASE_BREAK_TIMEOUT" \
    env CONCORD_LOCK_LEASE_BREAK_TIMEOUT=5s "$concordd" -c "$conf" --print-config
check "--set wins over the environment" says "lock.lease_break_timeout = 3s    # --set" \
    env CONCORD_LOCK_LEASE_BREAK_TIMEOUT=5s "$concordd" -c "$conf" --set lock.lease_break_timeout=3s --print-config
check "a share's key from the environment" says 'share Projects.comment = hi    # CONCORD_SHARE_PROJECTS_COMMENT' \
    env CONCORD_SHARE_PROJECTS_COMMENT=hi "$concordd" -c "$conf" --print-config
mistake() { # EXPECTED LINE...
    printf '%s\n' "${@:2}" >"$work/bad.conf"
    ! "$concordd" -c "$work/bad.conf" --check-config >"$work/said" 2>&1 && grep -qF -- "$1" "$work/said"
}
check "an unknown key" mistake "bad.conf:2: unknown key 'lisen' in [nfs]: allowed are enabled listen" '[nfs]' 'lisen = *:1'
check "an unknown section" mistake 'bad.conf:2: unknown section [nsf]' '[nsf]' 'listen = *:1'
check "a bad duration" mistake 'allowed is a duration from' '[lock]' 'grace_period = soon'
check "a bad choice" mistake 'allowed is off, offered, required' '[smb]' 'encryption = maybe'
check "a number out of range" mistake 'allowed is a number from 64 to 65535' '[smb]' 'max_credits = 7'
check "a relative path" mistake 'path must be an absolute directory' '[share a]' 'path = here'
check "a bad share name" mistake 'is not a share name' '[share a/b]' 'path = /x'
check "a line that is neither" mistake 'bad.conf:2: neither' '[nfs]' 'listen'
check "the documentation is the table" diff <("$concordd" --print-docs) "$(dirname "$0")/../../docs/configuration.md"
finish
