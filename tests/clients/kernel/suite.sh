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
mount_nfs() { mount -t nfs -o vers=3 server:/share /mnt/test; }
mount_cifs() { mount -t cifs -o "vers=3.1.1,username=$user,password=$password,noperm,cache=strict" //server/share /mnt/test; }
# A real C project: the server's own sources, built with its own build files. Between unpacking and building the mount is
# made anew: once Linux' CIFS client has written a file, or looked through it for what to write (cifs_writepages() sets
# CIFS_INO_MODIFIED_ATTR), the next close(2) of it, a reader's too, makes it show that moment as the time of its last
# change until the CLOSE, with any server; the compiler would take one header for two.
compile() { # LABEL DIRECTORY
    rm -rf "$2/project" && mkdir "$2/project" && tar -xf /host/project.tar -C "$2/project" && cd / &&
        umount /mnt/test && "mount_$1" && cd "$2/project" && meson setup -Dbuildtype=plain out >/dev/null &&
        ninja -C out -j1 src/base/libbase.a src/coherence/libcoherence.a src/store/libstore.a
}
clean() { cd / && rm -rf "$1"/* && [ -z "$(ls -A "$1")" ]; }
work_on() { # LABEL DIRECTORY LINKS
    local dir=$2/$1
    mkdir -p "$dir" || { echo "not ok - $1: mkdir"; return; }
    for seed in $seeds; do
        test_one "$1: fsx, seed $seed" /host/fsx "$dir/fsx" "$seed" "$fsx_operations"
    done
    test_one "$1: tree stress, 4 processes" /host/treestress "$dir" 4 "$tree_operations" 1 $3
    test_one "$1: unpack and compile" compile "$1" "$dir"
    test_one "$1: rm -rf" clean "$dir"
    cd /
}
test_one "nfs: mount" mount_nfs
grep -q ' /mnt/test nfs' /proc/mounts && work_on nfs /mnt/test && test_one "nfs: umount" umount /mnt/test
test_one "cifs: mount" mount_cifs
grep -q ' /mnt/test cifs' /proc/mounts && work_on cifs /mnt/test nolinks && test_one "cifs: umount" umount /mnt/test
