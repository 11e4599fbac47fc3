# suite.sh - runs in the guest: the same work on an NFS and on a CIFS mount of the server's share. Settings: /host/settings.
. /host/settings
test_one() { # NAME COMMAND...
    local name=$1 start=$SECONDS
    shift
    if "$@" >/tmp/out 2>&1; then
        echo "ok - $name ($((SECONDS - start)) s)"
    else
        echo "not ok - $name"
        tail -n 15 /tmp/out | sed 's/^/    /'
    fi
}
# A real C project: the server's own sources, built with its own build files. Linux' CIFS client holds a CLOSE back for a
# second (closetimeo), and until then shows the time of close(2) as that of the last write, with any server, where tar has
# set another: ninja would find its files in the future.
compile() {
    rm -rf "$1/project" && mkdir "$1/project" && tar -xf /host/project.tar -C "$1/project" && sleep 2 && cd "$1/project" &&
        meson setup -Dbuildtype=plain out >/dev/null && ninja -C out -j1 src/base/libbase.a src/coherence/libcoherence.a src/store/libstore.a
}
clean() { cd / && rm -rf "$1"/* && [ -z "$(ls -A "$1")" ]; }
work_on() { # LABEL DIRECTORY LINKS
    local dir=$2/$1
    mkdir -p "$dir" || { echo "not ok - $1: mkdir"; return; }
    for seed in $seeds; do
        test_one "$1: fsx, seed $seed" /host/fsx "$dir/fsx" "$seed" "$fsx_operations"
    done
    test_one "$1: tree stress, 4 processes" /host/treestress "$dir" 4 "$tree_operations" 1 $3
    test_one "$1: unpack and compile" compile "$dir"
    test_one "$1: rm -rf" clean "$dir"
    cd /
}
test_one "nfs: mount" mount -t nfs -o vers=3 server:/share /mnt/test
grep -q ' /mnt/test nfs' /proc/mounts && work_on nfs /mnt/test && test_one "nfs: umount" umount /mnt/test
test_one "cifs: mount" mount -t cifs -o "vers=3.1.1,username=$user,password=$password,noperm,cache=strict" //server/share /mnt/test
grep -q ' /mnt/test cifs' /proc/mounts && work_on cifs /mnt/test nolinks && test_one "cifs: umount" umount /mnt/test
