# restarts.sh - lets concord-torture have its server restarted by the script that started it, which so stays its parent.
# Sourced; the caller sets `work`, a directory.
#   with_restarts FUNCTION COMMAND...   runs COMMAND; FUNCTION whenever somebody runs $restart, which waits for it

mkfifo "$work/ask" "$work/served"
restart="echo restart >'$work/ask'; read -r _ <'$work/served'"

with_restarts() {
    local again=$1 what status player
    shift
    {
        status=0
        "$@" || status=$?
        echo "end $status" >"$work/ask"
    } &
    player=$!
    while read -r what status <"$work/ask" && [ "$what" != end ]; do
        "$again"
        echo >"$work/served"
    done
    wait $player
    return "$status"
}
