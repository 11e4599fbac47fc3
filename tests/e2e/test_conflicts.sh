#!/bin/bash
# What an administrator sees when clients of the two protocols meet: one line in the log for each conflict, its counter,
# how long it took, who waits behind whom, and "concordctl break" that lets them go on.
build=${1:?build directory}
. "$(dirname "$0")/../clients/lib.sh"
metrics_port=$((nfs_port + 3000))
common=(--set log.level=info --set "server.metrics_listen=127.0.0.1:$metrics_port" --set lock.grace_period=0s
    --set lock.regrant_holdoff=0s)
extra=("${common[@]}" --set lock.lease_break_timeout=60s --set lock.nfs_park=60s)
server_start || exit 1

ctl() {
    local options
    mapfile -t options < <(server_options)
    "$build/src/server/concordctl" "${options[@]}" "$@"
}
metrics() {
    exec 8<>"/dev/tcp/127.0.0.1/$metrics_port"
    printf 'GET /metrics HTTP/1.0\r\n\r\n' >&8
    cat <&8
    exec 8>&-
}
metric() { metrics | awk -v name="$1" '$1 == name { n = $2 } END { print n + 0 }'; }

export CONCORD_TEST_PASSWORD=$password
meet_begin() { # MEETING: in the background, up to where somebody waits
    coproc MEET {
        exec "$build/tests/e2e/meet" "127.0.0.1:$nfs_port" "127.0.0.1:$smb_port" /share "$user" "$1" "file-$1"
    }
    meet_pid=$MEET_PID meet_out=${MEET[0]} meet_in=${MEET[1]} said=''
    read -r -t 30 said <&"$meet_out" || true
}
meet_end() { # how it was answered
    [ "$said" != waiting ] || { echo go >&"$meet_in"; read -r -t 30 said <&"$meet_out" || true; }
    wait "$meet_pid"
    echo "answered: $said"
    said=${said#answered }
}

lines() { grep " INFO .*event=conflict .*/file-$1\"" "$work/log"; }
# told MEETING FROM TO KIND OP OUTCOME: exactly one line and one count more than before.
before=0
counter() { echo "concord_cross_protocol_conflicts_total{from=\"$1\",to=\"$2\",kind=\"$3\",outcome=\"$4\"}"; }
told() {
    local n
    for _ in $(seq 50); do # the line comes with the event, which may be after the answer
        n=$(lines "$1" | grep -c "outcome=$6")
        [ "$n" = 0 ] || break
        sleep 0.1
    done
    lines "$1"
    local who='"[^"]*@127\.0\.0\.15[01]:[0-9]*"'
    [ "$n" = 1 ] && lines "$1" | grep "outcome=$6" |
        grep -q "from=$2 to=$3 kind=$4 op=$5 file=\"/share/file-$1\" holder=$who by=$who waited_ms=[0-9]* " &&
        [ "$(metric "$(counter "$2" "$3" "$4" "$6")")" = "$((before + 1))" ]
}
meeting() { # MEETING STATUS FROM TO KIND OP OUTCOME
    before=$(metric "$(counter "$3" "$4" "$5" "$7")")
    meet_begin "$1"
    meet_end
    [ "$said" = "$2" ] && [ "$(lines "$1" | wc -l)" = 1 ] && told "$1" "${@:3}"
}

check "NFS writes under an SMB lease that is acknowledged" meeting lease-acknowledged 0x0 nfs3 smb lease write granted
check "NFS writes where an SMB open denies it" meeting nfs-write-to-share 0xD nfs3 smb share write denied
check "NFS links what SMB is deleting" meeting nfs-link-to-deleted 0xD nfs3 smb delete link denied
check "an NLM lock waits for an SMB lock" meeting nlm-behind-smb 0x0 nlm smb range lock granted
check "an SMB lock waits for an NLM lock" meeting smb-behind-nlm 0x0 smb nlm range lock granted
check "an SMB lock gives up waiting" meeting smb-gives-up 0xC0000120 smb nlm range lock cancelled
check "an SMB write meets an NLM lock" meeting smb-write-to-lock 0xC0000054 smb nlm range write denied

measured() { # METRIC COUNT: so many samples, none of them longer than ten seconds
    metrics | grep "^concord_$1"
    [ "$(metric "concord_$1_count")" = "$2" ] && [ "$(metric "concord_$1_bucket{le=\"15\"}")" = "$2" ] &&
        [ "$(metric "concord_$1_bucket{le=\"+Inf\"}")" = "$2" ]
}
check "the time to an acknowledgement is measured" measured break_to_ack_seconds 1
check "the time from a break to going on is measured" measured break_to_grant_seconds 1
check "the time from a lock's release to its grant is measured" measured lock_handover_seconds 2

# --- While somebody waits.
json() { ctl --json locks "$@" | tr -d '\n' | sed 's/}, */}\n/g'; } # a row a line
waits() { # KIND WAITER_PROTOCOL HOLDER_PROTOCOL FILE: the one row waits for the other, which says so
    local id
    json "/share/$4"
    ctl locks "/share/$4"
    id=$(json "/share/$4" | sed -n "s/.*\"id\": \([0-9]*\),.*\"kind\": \"$1\".*\"protocol\": \"$3\".*/\1/p" | head -n 1)
    [ -n "$id" ] && json "/share/$4" | grep '"kind": "waiting"' | grep "\"protocol\": \"$2\"" |
        grep -q "\"waits_for\": $id" &&
        json "/share/$4" | grep "\"id\": $id," | grep -q "\"waiters\": *\[ *\"$2 [^\"]*127\.0\.0\.1"
}
meet_begin nlm-behind-smb
check "locks: an NLM lock waits behind an SMB lock" waits lock nlm smb file-nlm-behind-smb
gauges() {
    metrics | grep -E '^concord_(holds|waiters)'
    [ "$(metric 'concord_waiters{kind="lock"}')" = 1 ] && [ "$(metric 'concord_holds{kind="range"}')" = 1 ]
}
check "holds and waiters are counted" gauges
status() {
    ctl status
    ctl status --json | grep -q '"waiters": 1' && ctl --json status | grep -q '"ranges": 1' &&
        ctl --json grace | grep -q '"in_grace": false'
}
check "status says so, too" status
meet_end
none_left() { # the server notices a moment later that a client is gone
    for _ in $(seq 50); do
        [ "$(metrics | grep -E '^concord_(holds|waiters)' | grep -vc ' 0$')" = 0 ] && return 0
        sleep 0.1
    done
    metrics | grep -E '^concord_(holds|waiters)'
    return 1
}
check "nothing is left of it" none_left

meet_begin lease-kept
check "locks: an NFS write waits behind an SMB lease" waits lease nfs3 smb file-lease-kept
listed() { ctl locks /share/file-lease-kept | grep -q 'lease RWH breaking to none'; }
check "locks: the lease and where it goes" listed
names_clients() {
    ctl clients
    ctl --json clients | grep -q '"address": "127\.0\.0\.150' && ctl clients | grep -q 'NFS .*127\.0\.0\.151'
}
check "clients: both are there" names_clients
breaks() {
    local id
    id=$(json /share/file-lease-kept | sed -n 's/.*"id": \([0-9]*\),.*"kind": "lease".*/\1/p')
    before=$(metric "$(counter nfs3 smb lease revoked)")
    ctl --json break "$id" | grep -q '"revoked": 1'
}
check "break ID takes the lease away" breaks
freed() { meet_end; [ "$said" = 0x0 ] && [ "$(lines lease-kept | wc -l)" = 1 ] && told lease-kept nfs3 smb lease write revoked; }
check "whoever waited goes on" freed
server_stop

# --- Nobody helps: told to come back, then revoked.
extra=("${common[@]}" --set lock.lease_break_timeout=1200ms --set lock.nfs_park=500ms)
server_start || exit 1
jukebox() {
    meet_begin lease-kept-jukebox
    meet_end
    lines lease-kept-jukebox
    [ "$said" = 0x0 ] && [ "$(lines lease-kept-jukebox | grep -c outcome=revoked)" = 1 ] &&
        [ "$(lines lease-kept-jukebox | grep -c outcome=deferred)" = "$(metric "$(counter nfs3 smb lease deferred)")" ] &&
        [ "$(metric "$(counter nfs3 smb lease deferred)")" -ge 1 ] && [ "$(metric "$(counter nfs3 smb lease revoked)")" = 1 ]
}
check "a write that is told to come back, and then goes on without the holder" jukebox
finish
