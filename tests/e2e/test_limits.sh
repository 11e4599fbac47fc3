#!/bin/bash
# What one client can take from the others, and what it cannot: locks, waiting locks, monitored hosts, and messages that
# never end.
build=${1:?build directory}
. "$(dirname "$0")/../clients/lib.sh"
extra=(--set lock.max_locks=10 --set lock.max_waits=3 --set nfs.max_lock_hosts=4 --set nfs.stall_timeout=1s
    --set smb.stall_timeout=1s --set lock.grace_period=0s)
server_start || exit 1
export CONCORD_TEST_PASSWORD=$password

answer() { # MEETING EXPECTED
    local said
    said=$("$build/tests/e2e/meet" "127.0.0.1:$nfs_port" "127.0.0.1:$smb_port" /share "$user" "$1" "file-$1")
    echo "$said"
    [ "$said" = "answered $2" ]
}
# 0x2: NLM4_DENIED_NOLOCKS; STATUS_INSUFFICIENT_RESOURCES
check "NLM locks up to the limit, and again when one is given back" answer too-many-locks "0x2 0x2 0x0"
check "SMB locks up to the limit" answer too-many-smb-locks 0xC000009A
check "waiting locks up to the limit" answer too-many-waits 0x2
check "hosts of one address up to the limit" answer too-many-hosts 0x2

# A byte every 0.2 s: the next one always comes in time, and the message never ends.
trickle() { # PORT BEGIN
    local i ms start=${EPOCHREALTIME/./}
    exec 7<>"/dev/tcp/127.0.0.1/$1"
    printf "$2" >&7
    for ((i = 0; i < 50; i++)); do
        printf '\0' >&7 || break
        sleep 0.2
        read -r -t 0.01 <&7
        [ $? -gt 128 ] || break # not "no data yet" but the end
    done 2>/dev/null
    exec 7>&-
    ms=$(((${EPOCHREALTIME/./} - start) / 1000))
    echo "cut after $i bytes, $ms ms"
    [ "$i" -lt 50 ] && [ "$ms" -ge 1000 ]
}
check "an RPC record that comes byte by byte is cut" trickle "$nfs_port" '\200\0\1\0'
check "an SMB message that comes byte by byte is cut" trickle "$smb_port" '\0\0\1\0'
check "the server still serves" smb -c ls
finish
