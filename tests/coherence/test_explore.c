/* Bounded exhaustive exploration: every sequence of actions of the small world, states that were seen before cut off,
 * breadth first, until the time is over; then a long random walk. After each action the invariants of world.c hold.
 * CO_EXPLORE_SECONDS makes it longer. */
#include "base/clock.h"
#include "world.h"

#define DEPTH_MAX 24
#define SEEN_BITS 23

struct node {
    uint32_t parent;
    uint8_t action, depth;
};

static uint64_t *seen;
static struct node *nodes;
static size_t n_nodes, n_seen;

static bool seen_before(uint64_t state)
{
    size_t mask = ((size_t)1 << SEEN_BITS) - 1;
    for (size_t i = state & mask;; i = (i + 1) & mask) {
        if (seen[i] == state)
            return true;
        if (!seen[i]) {
            seen[i] = state;
            n_seen++;
            return false;
        }
    }
}

static unsigned path_of(uint32_t n, uint8_t path[DEPTH_MAX])
{
    unsigned depth = nodes[n].depth;
    for (unsigned i = depth; i--; n = nodes[n].parent)
        path[i] = nodes[n].action;
    return depth;
}

static void complain(const struct world *w, const uint8_t *path, unsigned n, const char *what)
{
    fprintf(stderr, "%s, after:", what);
    for (unsigned i = 0; i < n; i++) {
        char name[32];
        world_name(path[i], name, sizeof name);
        fprintf(stderr, " %s;", name);
    }
    fprintf(stderr, "\n");
    (void)w;
}

static bool try_action(struct world *w, uint32_t from, unsigned a)
{
    uint8_t path[DEPTH_MAX + 1];
    unsigned n = path_of(from, path);
    for (unsigned i = 0; i < n; i++)
        world_act(w, path[i]);
    path[n] = (uint8_t)a;
    bool did = world_act(w, a), fresh = did && !seen_before(world_state(w));
    if (w->broken)
        return complain(w, path, n + 1, w->broken), false;
    if (!world_reset(w))
        return complain(w, path, n + 1, "something is left"), false;
    if (fresh && n + 1 < DEPTH_MAX && n_nodes < (size_t)1 << (SEEN_BITS - 1))
        nodes[n_nodes++] = (struct node){from, (uint8_t)a, (uint8_t)(n + 1)};
    return true;
}

static bool explore(struct world *w, uint64_t until)
{
    size_t done = 0;
    unsigned depth = 0;
    nodes[n_nodes++] = (struct node){0, 0, 0};
    for (; done < n_nodes && clock_now() < until; done++) {
        if (nodes[done].depth > depth) {
            depth = nodes[done].depth;
            fprintf(stderr, "depth %u complete: %zu states\n", depth, n_seen);
        }
        for (unsigned a = 0; a < world_actions(); a++)
            if (!try_action(w, (uint32_t)done, a))
                return false;
    }
    fprintf(stderr, "explored %zu of %zu states, depth %u; %lu grants, %lu waits, %lu denials, %lu breaks\n", done,
            n_seen, depth, w->grants, w->waits, w->denials, w->breaks);
    return true;
}

static bool walk(struct world *w, uint64_t until, unsigned seed)
{
    uint8_t path[4096];
    unsigned long strings = 0, actions = 0;
    for (unsigned s = seed; clock_now() < until; s++, strings++) {
        unsigned n = 0, r = s;
        while (n < 200) {
            unsigned a = (unsigned)rand_r(&r) % world_actions();
            if (!world_act(w, a))
                continue;
            path[n++] = (uint8_t)a;
            if (w->broken) {
                fprintf(stderr, "seed %u: ", s);
                return complain(w, path, n, w->broken), false;
            }
        }
        actions += n;
        if (!world_reset(w))
            return complain(w, path, n, "something is left"), false;
    }
    fprintf(stderr, "walked %lu strings, %lu actions\n", strings, actions);
    return true;
}

int main(void)
{
    const char *env = getenv("CO_EXPLORE_SECONDS");
    uint64_t seconds = env ? strtoull(env, NULL, 10) : 16;
    struct co_policy pol;
    struct world w;
    co_policy_default(&pol);
    seen = calloc((size_t)1 << SEEN_BITS, sizeof *seen);
    nodes = calloc((size_t)1 << (SEEN_BITS - 1), sizeof *nodes);
    if (!seen || !nodes || !world_init(&w, &pol))
        return 1;
    uint64_t now = clock_now(), half = seconds * NSEC_PER_SEC / 2;
    bool ok = explore(&w, now + half) && walk(&w, now + 2 * half, (unsigned)seconds);
    world_done(&w);
    free(seen);
    free(nodes);
    return ok ? 0 : 1;
}
