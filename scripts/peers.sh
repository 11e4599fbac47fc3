# peers.sh - for scripts that run other servers beside Concord: Samba and NFS-Ganesha, on ports and in files of their own.
# Sourced. The caller sets `work` (a directory on a disk file system), `user`, `uid`, `gid` and `password`, and may set
# `confine` (what every server is started with, such as taskset -c 0) and PEERS_INTERFACE (one more that Samba listens on).
#
#   peers_isolate SCRIPT ARGUMENT...   as root: runs the script again in namespaces of its own, in which it collides with
#                                      nothing, and of which nothing is left when it ends
#   launch NAME PORT COMMAND...        starts a server and waits until it answers: pid[NAME]
#   samba DIR, ganesha DIR             serve a directory: smb_at[samba] and nfs_at[ganesha] say where
#   peers_kill NAME...                 takes some of them away, with all their processes
#   peers_stop                         ends what was launched

declare -A pid smb_at nfs_at
started=()
confine=()

# PID 1 of a PID namespace takes everything with it when it ends. /run is private: for rpcbind, Samba and Ganesha.
peers_isolate() {
    local isolate=(unshare --net --mount --propagation private --pid --fork --kill-child --mount-proc)
    if [ "$(id -u)" = 0 ] && [ -z "${PEERS_INSIDE:-}" ] && "${isolate[@]}" true 2>/dev/null; then
        PEERS_INSIDE=yes exec "${isolate[@]}" "$@"
    fi
    [ -n "${PEERS_INSIDE:-}" ] || return 0
    ip link set lo up
    mount -t tmpfs -o mode=755 tmpfs /run
    mkdir -p /run/lock /run/rpcbind /run/samba /run/ganesha
}

say() { echo "${0##*/}: $*" >&2; }

launch() {
    local name=$1 port=$2 i
    shift 2
    # A session of its own: smbd ends with a signal to its whole process group.
    setsid "${confine[@]}" "$@" </dev/null >"$work/$name.log" 2>&1 &
    pid[$name]=$!
    started+=($!)
    for ((i = 0; i < 300; i++)); do
        (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null && return
        kill -0 "${pid[$name]}" 2>/dev/null || break
        sleep 0.1
    done
    say "$name does not answer on port $port:"
    tail -n 5 "$work/$name.log" >&2
    return 1
}

peers_kill() {
    local name
    for name; do
        kill -9 -- "-${pid[$name]}" 2>/dev/null || true
        wait "${pid[$name]}" 2>/dev/null || true # how it ended is no news
    done
}

peers_stop() {
    local p i
    for p in "${started[@]}"; do
        kill "$p" 2>/dev/null || continue
        for ((i = 0; i < 50; i++)); do kill -0 "$p" 2>/dev/null || break; sleep 0.1; done
        kill -9 "$p" 2>/dev/null || true
    done
    started=()
}

# SAMBA_OPTIONS: further lines of [global].
samba() {
    local state=$work/samba.state port=23445
    mkdir -p "$state"
    cat >"$state/smb.conf" <<-END
	[global]
	    server role = standalone server
	    smb ports = $port
	    interfaces = lo ${PEERS_INTERFACE:-}
	    bind interfaces only = yes
	    disable netbios = yes
	    load printers = no
	    printcap name = /dev/null
	    passdb backend = tdbsam:$state/passdb.tdb
	    private dir = $state
	    lock directory = $state
	    state directory = $state
	    cache directory = $state
	    pid directory = $state
	    ncalrpc dir = $state/ncalrpc
	    log file = $state/log
	    ${SAMBA_OPTIONS:-}
	[share]
	    path = $1
	    read only = no
	END
    printf '%s\n%s\n' "$password" "$password" | smbpasswd -c "$state/smb.conf" -s -a "$user" >"$work/samba.log" 2>&1
    launch samba $port smbd --foreground --no-process-group -s "$state/smb.conf" || return 1
    smb_at[samba]=127.0.0.1:$port
}

# With GANESHA_NLM=yes also as lock manager, which needs a status monitor beside it.
ganesha() {
    local state=$work/ganesha.state port=24049 nlm=${GANESHA_NLM:-no} enable=false squash=''
    mkdir -p "$state"
    [ "$nlm" = no ] || enable='true' squash='Squash = No_Root_Squash;'
    cat >"$state/ganesha.conf" <<-END
	NFS_CORE_PARAM { NFS_Port = $port; MNT_Port = $((port + 1)); NLM_Port = $((port + 2)); Enable_NLM = $enable;
	    Enable_RQUOTA = false; Enable_UDP = $enable; Protocols = 3; }
	NFSV4 { RecoveryRoot = "$state"; Graceless = true; }
	EXPORT { Export_Id = 1; Path = "$1"; Pseudo = "/share"; Access_Type = RW; SecType = sys; $squash
	    FSAL { Name = VFS; } }
	LOG { Default_Log_Level = EVENT; }
	END
    [ -n "${pid[rpcbind]:-}" ] || launch rpcbind 111 rpcbind -f || return 1
    if [ "$nlm" = yes ]; then
        mkdir -p "$state/statd/sm" "$state/statd/sm.bak"
        launch statd 24055 rpc.statd -F -p 24055 -P "$state/statd" || return 1
    fi
    launch ganesha $port ganesha.nfsd -F -f "$state/ganesha.conf" -L "$state/log" -p "$state/pid" || return 1
    nfs_at[ganesha]=127.0.0.1:$port
}
