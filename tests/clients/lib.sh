# lib.sh - for scripts that run real clients against a daemon of their own: server_start, server_stop, cleanup, check.
# Sourced; the caller sets `build`.
set -u

work=$(mktemp -d "${TMPDIR:-/tmp}/concord-test.XXXXXX")
export_dir=$work/export
state_dir=$work/state
nfs_port=${NFS_PORT:-$((20000 + $$ % 6000))} # below the ports that the kernel gives away
smb_port=${SMB_PORT:-$((nfs_port + 6000))}
user=tester password=Secret-1
user_ids="$(id -u) $(id -g)"
passed=0 failed=0
server_pid=''
mkdir -p "$export_dir" "$state_dir"
chmod 755 "$work"
chmod 700 "$state_dir"

cleanup() {
    server_stop
    [ -n "${KEEP:-}" ] || rm -rf "$work"
}
trap cleanup EXIT

# Options every start uses; a script may add to `extra`.
extra=()
server_options() {
    printf '%s\n' --set "server.state_dir=$state_dir" --set "nfs.listen=127.0.0.1:$nfs_port" --set nfs.portmap=off \
        --set "smb.listen=127.0.0.1:$smb_port" --set "share share.path=$export_dir" \
        --set 'share share.clients=*(rw,no_root_squash)' --set log.level=warn "${extra[@]}"
}

server_start() {
    local options
    mapfile -t options < <(server_options)
    if [ ! -e "$state_dir/.user" ]; then
        echo "$password" | "$build/src/server/concordctl" "${options[@]}" user add "$user" $user_ids >/dev/null || return 1
        : >"$state_dir/.user"
    fi
    "$build/src/server/concordd" "${options[@]}" >>"$work/log" 2>&1 &
    server_pid=$!
    for _ in $(seq 200); do
        (: >"/dev/tcp/127.0.0.1/$smb_port") 2>/dev/null && (: >"/dev/tcp/127.0.0.1/$nfs_port") 2>/dev/null && return 0
        kill -0 "$server_pid" 2>/dev/null || break
        sleep 0.05
    done
    echo "the server did not start:" >&2
    cat "$work/log" >&2
    return 1
}

# TERM, and a failure when it does not end well (sanitizers report by the exit status).
server_stop() {
    [ -n "$server_pid" ] || return 0
    kill -TERM "$server_pid" 2>/dev/null
    local r i
    for ((i = 0; i < 300; i++)); do
        kill -0 "$server_pid" 2>/dev/null || break
        sleep 0.1
    done
    kill -KILL "$server_pid" 2>/dev/null && echo "the server did not stop within 30 s" >&2
    wait "$server_pid"
    r=$?
    server_pid=''
    [ $r = 0 ] || { echo "the server ended with status $r:" >&2; tail -n 50 "$work/log" >&2; failed=$((failed + 1)); }
    return 0
}
server_kill() {
    kill -KILL "$server_pid" 2>/dev/null
    wait "$server_pid" 2>/dev/null
    server_pid=''
}

# check NAME COMMAND...: one counted test.
check() {
    local name=$1
    shift
    if "$@" >"$work/out" 2>&1; then
        passed=$((passed + 1))
        echo "ok - $name"
    else
        failed=$((failed + 1))
        echo "not ok - $name"
        sed 's/^/    /' "$work/out" | tail -n 30
    fi
}
finish() {
    server_stop
    echo "$passed passed, $failed failed"
    [ "$failed" = 0 ]
}

smb() { # smb [options] -c COMMANDS
    smbclient "//127.0.0.1/share" -p "$smb_port" -U "$user%$password" "$@"
}
nfs_url() { echo "nfs://127.0.0.1/share$1?nfsport=$nfs_port&mountport=$nfs_port&version=3&uid=$(id -u)&gid=$(id -g)${2:-}"; }
