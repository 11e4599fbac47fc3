#!/bin/bash
# The daemon as people use it, with smbclient and a libnfs client: every dialect, both protections, both protocols on the
# same files.
build=${1:?build directory}
. "$(dirname "$0")/../clients/lib.sh"
server_start || exit 1
nfstree=$build/tests/clients/nfstree

head -c 3000000 /dev/urandom >"$work/big"
mkdir -p "$work/tree/sub"
cp "$work/big" "$work/tree/sub/big"
ln -s sub/big "$work/tree/link"
echo hello >"$work/tree/Ünïcode näme.txt"
chmod 640 "$work/tree/sub/big"
touch -d '2001-02-03 04:05:06.123456 UTC' "$work/tree/sub/big"

roundtrip() { # DIALECT PROTECTION
    rm -f "$work/back"
    smb -m "$1" --client-protection="$2" -c "put $work/big f.$1.$2; get f.$1.$2 $work/back; del f.$1.$2" && cmp "$work/big" "$work/back" &&
        [ ! -e "$export_dir/f.$1.$2" ]
}
for way in SMB2_02:sign SMB2_10:sign SMB2_10:off SMB3_00:sign SMB3_00:encrypt SMB3_02:encrypt SMB3_11:sign SMB3_11:encrypt; do
    check "put and get over ${way/:/, }" roundtrip "${way%:*}" "${way#*:}"
done

lists_shares() { smbclient -L 127.0.0.1 -p "$smb_port" -U "$user%$password" | grep -q 'share .*Disk'; }
check "smbclient -L lists the share" lists_shares
refuses() { ! smbclient "//127.0.0.1/share" -p "$smb_port" -U "$1" -c ls; }
check "a wrong password is refused" refuses "$user%wrong"
check "an unknown user is refused" refuses "nobody-here%x"
check "anonymous is refused" refuses "%"

names() {
    smb -c 'mkdir Dir; cd dir; put '"$work/big"' "A File.TXT"; rename "a file.txt" b.txt; cd ..; ls dir\*' | grep -q ' b.txt ' &&
        [ -e "$export_dir/Dir/b.txt" ] && smb -c 'del dir\B.TXT; rmdir DIR' && [ ! -e "$export_dir/Dir" ]
}
check "names are case-insensitive and case-preserving" names

check "a tree in over NFS" "$nfstree" put "$work/tree" 127.0.0.1 "$nfs_port" /share tree
check "modes, times, links and names arrive" diff -r --no-dereference "$work/tree" "$export_dir/tree"
attributes() { [ "$(stat -c '%a %s %Y' "$export_dir/tree/sub/big")" = "640 3000000 981173106" ]; }
check "attributes arrive" attributes
check "out over SMB what came in over NFS" smb -c "get tree/sub/big $work/smbgot"
check "the same bytes" cmp "$work/big" "$work/smbgot"
check "in over SMB" smb -c "put $work/big fromsmb"
check "out over NFS" "$nfstree" get 127.0.0.1 "$nfs_port" /share tree "$work/nfsgot"
check "the same tree" diff -r --no-dereference "$work/tree" "$work/nfsgot"

ctl() {
    local options
    mapfile -t options < <(server_options)
    "$build/src/server/concordctl" "${options[@]}" "$@"
}
ctl_status() { ctl status | grep -q uptime_s && ctl --json shares | grep -q '"share"' && ctl user list | grep -q "$user"; }
check "concordctl talks to the server" ctl_status
user_change() { echo other-Pass2 | ctl user passwd "$user" && ! smb -c ls && echo "$password" | ctl user passwd "$user" && smb -c ls; }
check "a changed password counts at once" user_change

# One client holds a file open for as long as it is fed.
mkfifo "$work/orders"
smb <"$work/orders" >"$work/holder" 2>&1 &
holder=$!
exec 9>"$work/orders"
echo 'open fromsmb' >&9
held() { ctl locks /share/fromsmb | grep -q ' open '; }
opens() { for _ in $(seq 100); do held && return 0; sleep 0.1; done; cat "$work/holder"; ctl locks; return 1; }
check "a client holds a file open" opens
names_client() { ctl clients; ctl --json clients | grep -q "\"user\": \"$user\"" && ctl clients | grep -q 'SMB 3.1.1 *127.0.0.1:'; }
check "concordctl clients names who is connected" names_client
names_holder() { ctl locks; ctl --json locks /share/fromsmb | grep -q "\"user\": \"$user\""; }
check "concordctl locks names the holder" names_holder
breaks() { ctl break /share/fromsmb && ! held && ! ctl break /share/fromsmb && ! ctl break 999999999 && ! ctl break nonsense; }
check "concordctl break takes the file away from it" breaks
exec 9>&-
wait "$holder"

# Files are made until the client says that it has seen one: when it began to watch is its own affair.
sees_local_changes() {
    local i line=''
    mkdir "$export_dir/watched"
    coproc WATCHER {
        exec timeout 60 stdbuf -oL smbclient //127.0.0.1/share -p "$smb_port" -U "$user%$password" -c "notify watched" 2>&1
    }
    local pid=$WATCHER_PID out=${WATCHER[0]}
    for ((i = 0; i < 150; i++)); do
        touch "$export_dir/watched/made-$i"
        read -r -t 0.2 line <&"$out" && break
    done
    kill "$pid" 2>/dev/null
    wait "$pid"
    echo "$line"
    [[ $line == '0001 made-'* ]]
}
check "a client that watches a directory sees what a local program makes" sees_local_changes

survives_restart() {
    server_stop
    server_start && smb -c "get fromsmb $work/again" && cmp "$work/big" "$work/again"
}
check "a restart" survives_restart
finish
