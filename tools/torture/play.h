/* play.h - between the files of the random history: the world that is played in, and its players. players.c has the
 * programs and the verdict, play_nfs.c and play_smb.c what a client of either protocol does with files, play_cache.c
 * what an SMB client caches and how it gives that back, play_locks.c byte ranges, play_kill.c the server's death.
 *
 * The shared files lie in three directories: in the first only NFS changes names, in the second both do, in the third
 * only NFS does and nobody writes, so that caches of the directory live. Each file holds the number of its object,
 * which never changes, and registers. A name is a register too, whose value is the number of the object that it leads
 * to (0: none). One more file holds counters that are only raised under a lock, and ranges that are only locked. */
#pragma once
#include "fiber.h"
#include "history.h"
#include "nlm.h"
#include "players.h"
#include "smb.h"
#include <stdio.h>

enum { BOTH = 4, QUIET = 6, FILES = 8 }; /* the first file of the second, of the third directory; all of them */
enum { REGISTERS = 8, COUNTERS = 4, RANGES = 24, SPACING = 4096, HEADER_BYTES = SPACING };
enum { PATIENCE = 45 /* s, for the end */, HOLDS = 256 };
#define RANGES_AT (1ull << 20)

struct player;
struct hold { /* a byte range of the counters' file that a player has locked */
    struct player *by;
    uint64_t first, last;
    bool exclusive;
};
struct stats {
    uint64_t reads, writes, cached, erased, names, cached_names, replaced, removed, locked, shared, breaks, crashes,
        losses, kept, later, restarts, reclaimed;
};
struct world {
    struct fibers fibers;
    struct wire *wire;
    struct target *target;
    const struct play *play;
    struct history history;
    struct stats stats;
    char dir[32];
    struct nfs_fh dir_fh, both_fh, names_fh, new_fh, counters_fh;
    uint64_t objects, end;
    struct player *player;
    struct hold hold[HOLDS];
    uint64_t raised[COUNTERS], perhaps[COUNTERS];
    unsigned kills;         /* so far */
    bool killing;           /* there are more to come */
    unsigned wrong;
};

struct slot { /* an SMB player's open of one file, or of the third directory */
    bool open, busy, breaking, closed; /* closed: perhaps; the answer was lost */
    bool oplock;           /* instead of a lease */
    uint8_t durable;       /* as asked for and granted: 0, 1, 2; 3: persistent */
    struct smb_file file;
    uint8_t key[16], guid[16], lease; /* key: of breaks; what is cached, an oplock's as lease bits */
    uint64_t object, value[REGISTERS];
    uint64_t unwritten[REGISTERS]; /* the first value since it became dirty */
    bool known[REGISTERS], dirty[REGISTERS];
    unsigned changes;      /* breaks obeyed */
};
struct player {
    struct world *world;
    uint16_t number;
    bool is_smb, ended;
    uint64_t random, values, answered; /* answered: when the last call was */
    struct fiber fiber, second;        /* the second obeys breaks, or reclaims locks */
    struct host host;
    unsigned kills_seen;
    /* NFS */
    struct nfs nfs;
    struct nlm nlm;
    struct nfs_fh fh[FILES];
    uint64_t object[FILES]; /* what fh is; 0: not looked up */
    uint32_t nsm_state, svid, server_state; /* its own, and the server's as it was told last */
    struct nlm_lock lock;   /* the one that it has, or asks for */
    unsigned notified;      /* SM_NOTIFYs acted on */
    bool reclaiming;
    /* SMB */
    struct smb smb;
    struct slot slot[FILES], names; /* names: the third directory; value[] is what they lead to */
    struct smb_file counters;
    bool counters_kept;     /* their open is persistent */
    uint8_t counters_guid[16];
};

/* --- players.c */
uint32_t dice(struct player *p, uint32_t sides);
void wrong(struct world *w, const char *what, const struct player *p);
uint64_t new_value(struct player *p);
static inline uint64_t register_of(uint64_t object, unsigned r) { return object * REGISTERS + r; }
static inline uint64_t name_of(unsigned file) { return file; } /* objects count from 1 */
static inline uint64_t offset_of(unsigned r) { return HEADER_BYTES + (uint64_t)r * SPACING; }
/* Some files change all the time, others seldom for a while, so that caches of them live. */
bool lively(const struct world *w, unsigned file);

struct history_op begin(struct player *p, uint64_t reg, enum history_kind kind, uint64_t value);
/* Known to have happened (by the time of p->answered), perhaps (its answer was lost), or not at all. */
enum outcome { HAPPENED, PERHAPS, NEVER };
void end(struct player *p, struct history_op op, enum outcome outcome);
void end_cached(struct player *p, struct history_op op, uint64_t asked, const struct slot *by);
enum outcome outcome_of(uint32_t status);

/* fiber_call() that remembers when it was answered; the value of a read is within the answer. */
uint32_t play_call(struct player *p, struct call *c, struct call_result *ret);
uint32_t read_value(struct player *p, struct call *c, uint64_t *ret);

/* --- play_nfs.c */
void nfs_join(struct player *p);
void nfs_use(struct player *p, unsigned file, unsigned r, enum history_kind kind);
void nfs_look(struct player *p, unsigned file);
void nfs_replace(struct player *p, unsigned file);
void nfs_remove_name(struct player *p, unsigned file);
bool nfs_again(struct player *p, uint32_t status); /* told to come back, and it has waited */
bool nfs_retry(struct player *p, uint32_t status); /* that, or the connection was lost, and there is a new one */
void nfs_return(struct player *p);                 /* connects anew when it must */

/* --- play_smb.c */
void smb_join(struct player *p);
void smb_use(struct player *p, unsigned file, unsigned r, enum history_kind kind);
void smb_look(struct player *p, unsigned file);
void smb_replace(struct player *p, unsigned file);
void smb_remove_name(struct player *p, unsigned file);
void smb_release(struct player *p, struct slot *s);
void smb_watch(struct player *p);  /* takes, or gives back, a lease of the third directory */
void smb_crash(struct player *p);  /* it comes back as somebody else */
void smb_return(struct player *p); /* after the connection was lost: with the opens that it gets back */
const char *name_in(const struct player *p, unsigned file, char path[64]);

/* --- play_cache.c */
void write_back(struct player *p, struct slot *s);
/* What is left in the cache was never anybody else's: its client is gone, or could not write it back (an error at
 * close, as programs get it). */
void forget(struct player *p, struct slot *s);
void forget_unwritten(struct player *p, struct slot *s);
/* May it use what it caches? Not when a break has come, whether it has looked at it or not. */
bool valid(const struct player *p, const struct slot *s);
/* The same, at this moment: what has arrived counts. */
bool usable(struct player *p, struct slot *s, uint64_t *ret_asked);
void wait_settled(struct player *p, struct slot *s);
void breaker_main(void *arg);

/* --- play_locks.c */
void raise_counter(struct player *p, unsigned c);
void lock_range(struct player *p);
void reclaimer_main(void *arg);
void drop_holds(struct player *p); /* the server has, or will have, freed them */
void check_counters(struct world *w);

/* --- play_kill.c */
void kills_start(struct world *w);
void kills_end(struct world *w);
