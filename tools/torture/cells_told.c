/* cells_told.c - what NFS clients do to a directory completes the CHANGE_NOTIFY of SMB clients that watch it ([MS-SMB2]
 * 3.3.5.19); each is told what it would be told of another SMB client's change. */
#include "script.h"

static const struct matrix_row told[] = {
    {"CREATE", "watch 0; notify 0 > x; x pends; op CREATE; x = ok 1000; changes 0 added new"},
    {"MKDIR", "watch 0; notify 0 > x; x pends; op MKDIR; x = ok 1000; changes 0 added sub"},
    {"SYMLINK", "watch 0; notify 0 > x; x pends; op SYMLINK; x = ok 1000; changes 0 added new"},
    {"MKNOD", "watch 0; notify 0 > x; x pends; op MKNOD; x = ok 1000; changes 0 added new"},
    {"LINK", "watch 0; notify 0 > x; x pends; op LINK; x = ok 1000; changes 0 added link"},
    {"REMOVE", "watch 0; notify 0 > x; x pends; op REMOVE; x = ok 1000; changes 0 removed f"},
    {"RMDIR", "prepare RMDIR; watch 0; notify 0 > x; x pends; op RMDIR; x = ok 1000; changes 0 removed sub"},
    {"RENAME",
     "watch 0; notify 0 > x; x pends; op RENAME; x = ok 1000; changes 0 renamed-from f; changes 0 renamed-to new"},
    {"RENAME-over",
     "prepare RENAME-over; watch 0; notify 0 > x; x pends; op RENAME-over; x = ok 1000; changes 0 renamed-to f"},
    {"RENAME-directory",
     "prepare RENAME-directory; watch 0; notify 0 > x; x pends; op RENAME-directory; x = ok 1000;"
     "changes 0 renamed-from sub"},
    {"RENAME-out", "prepare RENAME-out; watch 0; notify 0 > x; x pends; op RENAME-out; x = ok 1000;"
     "changes 0 removed f"},
    {"RENAME-into", "prepare RENAME-into; watch 0; notify 0 > x; x pends; op RENAME-into; x = ok 1000;"
     "changes 0 added new"},
    {"LINK-out",
     "prepare LINK-out; watch 0 sub; notify 0 > x; x pends; op LINK-out; x = ok 1000; changes 0 added link"},
    {"WRITE", "watch 0; notify 0 > x; x pends; op WRITE; x = ok 1000; changes 0 modified f"},
    {"SETATTR-size", "watch 0; notify 0 > x; x pends; op SETATTR-size; x = ok 1000; changes 0 modified f"},
    {"SETATTR-mode", "watch 0; notify 0 > x; x pends; op SETATTR-mode; x = ok 1000; changes 0 modified f"},
    {"SETATTR-times", "watch 0; notify 0 > x; x pends; op SETATTR-times; x = ok 1000; changes 0 modified f"},
    {"CREATE-truncate", "watch 0; notify 0 > x; x pends; op CREATE-truncate; x = ok 1000; changes 0 modified f"},
    {"READ", "watch 0; notify 0 > x; x pends; op READ; op GETATTR; op LOOKUP; op READDIR; op LOCK-exclusive;"
     "x waits 300"},
    {"before-it-asks", "watch 0; notify 0 > x; op CREATE; x = ok 1000; nfs-remove new; notify 0;"
     "changes 0 removed new"},
    {"the-watched-directory-goes",
     "prepare RMDIR; watch 0 sub; notify 0 > x; x pends; op RMDIR; x = DELETE_PENDING 1000"},
    {"two-watch",
     "watch 0; watch 1; notify 0 > x; notify 1 > y; x pends; y pends; op CREATE; x = ok 1000; y = ok 1000;"
     "changes 0 added new; changes 1 added new"},
    {"cancelled", "watch 0; notify 0 > x; x pends; cancel x; x = CANCELLED; op CREATE"},
    {"closed", "watch 0; notify 0 > x; x pends; unwatch 0; x = NOTIFY_CLEANUP"},
    {"parked-change-is-told-when-done",
     "hold 0 RWH; watch 1; notify 1 > x; op REMOVE > d; break 0 RWH NONE A; x waits; d waits; ack 0 NONE; d = ok;"
     "x = ok 1000; changes 1 removed f"},
};

void cells_told(struct cell_list *l)
{
    static const struct matrix all = {"told", NULL, 0, told, ARRAY_LEN(told), 2};
    matrix_cells(l, &all);
}
