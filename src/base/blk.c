/* blk.c - blocks, their size classes and two levels of caches.
 *
 * A thread frees into and takes from its own cache without a lock. What overflows it goes to a depot shared by all,
 * half a cache at a time, and a cache that is empty is refilled from there: a reply made on a pool thread and freed on
 * a loop's thread finds its way back without malloc. Both levels are bounded; beyond them memory is given back.
 * Under AddressSanitizer cached bytes are poisoned, so that a use after the last blk_put() is still found.
 * Knows nothing of what is in a block. */
#include "blk.h"
#include <pthread.h>

#if UTIL_ASAN
#include <sanitizer/asan_interface.h>
#define blk_poison(b) ASAN_POISON_MEMORY_REGION((b)->data, blk_classes[(b)->class_].cap)
#define blk_unpoison(b) ASAN_UNPOISON_MEMORY_REGION((b)->data, blk_classes[(b)->class_].cap)
#else
#define blk_poison(b) ((void)0)
#define blk_unpoison(b) ((void)0)
#endif

/* The capacities leave room for headers beside a power-of-two payload, as I/O comes: 16K, 64K, 256K, 1M, 4M, 8M. */
static const struct {
    uint32_t cap;
    uint16_t own;   /* most blocks in a thread's cache */
    uint16_t depot; /* most blocks in the depot */
} blk_classes[] = {
    {512, 128, 1024},      {4u << 10, 64, 512},   {20u << 10, 32, 256}, {68u << 10, 16, 128},
    {272u << 10, 4, 32},   {1100u << 10, 2, 16},  {4400u << 10, 1, 4},  {BLK_MAX, 1, 2},
};
#define BLK_CLASSES ARRAY_LEN(blk_classes)

struct blk_stack {
    struct blk *top;
    uint32_t count;
};
struct blk_cache {
    struct blk_stack stacks[BLK_CLASSES];
    bool live; /* the thread's destructor is set and has not run */
    bool dead; /* it has run */
};

static _Thread_local struct blk_cache blk_own;
static struct {
    pthread_mutex_t lock;
    struct blk_stack stack;
} blk_depots[BLK_CLASSES] = {[0 ... BLK_CLASSES - 1] = {.lock = PTHREAD_MUTEX_INITIALIZER}};
static pthread_key_t blk_key;
static pthread_once_t blk_once = PTHREAD_ONCE_INIT;

static inline void blk_push(struct blk_stack *s, struct blk *b)
{
    b->next = s->top;
    s->top = b;
    s->count++;
}

static inline struct blk *blk_pop(struct blk_stack *s)
{
    struct blk *b = s->top;
    s->top = b->next;
    s->count--;
    return b;
}

static void blk_free_all(struct blk_stack *s)
{
    while (s->top) {
        struct blk *b = blk_pop(s);
        blk_unpoison(b);
        free(b);
    }
}

/* Moves n blocks of the caller's to the depot; what finds no room there is freed, outside the lock. */
static void blk_to_depot(struct blk_stack *from, unsigned class_, uint32_t n)
{
    struct blk_stack rest = {0};
    pthread_mutex_lock(&blk_depots[class_].lock);
    while (n-- && from->top)
        blk_push(blk_depots[class_].stack.count < blk_classes[class_].depot ? &blk_depots[class_].stack : &rest,
                 blk_pop(from));
    pthread_mutex_unlock(&blk_depots[class_].lock);
    blk_free_all(&rest);
}

static void blk_thread_end(void *cache)
{
    struct blk_cache *c = cache;
    c->dead = true;
    for (unsigned i = 0; i < BLK_CLASSES; i++)
        blk_to_depot(&c->stacks[i], i, c->stacks[i].count);
}

static void blk_make_key(void)
{
    (void)pthread_key_create(&blk_key, blk_thread_end);
}

/* Slow, once per thread. A thread whose cache could not be tied to its end does without one. */
static void blk_thread_begin(struct blk_cache *c)
{
    pthread_once(&blk_once, blk_make_key);
    if (!c->dead && pthread_setspecific(blk_key, c) == 0)
        c->live = true;
    else
        c->dead = true;
}

/* For leak checkers, and for a main thread that returns from main(): its destructors never run. */
__attribute__((destructor)) static void blk_process_end(void)
{
    blk_thread_end(&blk_own);
    for (unsigned i = 0; i < BLK_CLASSES; i++) {
        pthread_mutex_lock(&blk_depots[i].lock);
        blk_free_all(&blk_depots[i].stack);
        pthread_mutex_unlock(&blk_depots[i].lock);
    }
}

static struct blk *blk_refill(struct blk_cache *c, unsigned class_)
{
    uint32_t want = c->live ? (blk_classes[class_].own + 1u) / 2 : 1; /* nothing to keep for a cache without an end */
    struct blk *b = NULL;
    pthread_mutex_lock(&blk_depots[class_].lock);
    struct blk_stack *depot = &blk_depots[class_].stack;
    if (depot->top)
        b = blk_pop(depot);
    for (; want > 1 && depot->top; want--)
        blk_push(&c->stacks[class_], blk_pop(depot));
    pthread_mutex_unlock(&blk_depots[class_].lock);
    return b;
}

static inline unsigned blk_class_of(size_t cap)
{
    unsigned i = 0;
    while (cap > blk_classes[i].cap)
        i++;
    return i;
}

struct blk *blk_get(size_t cap)
{
    if (unlikely(cap > BLK_MAX))
        return NULL;
    unsigned class_ = blk_class_of(cap);
    struct blk_cache *c = &blk_own;
    struct blk_stack *own = &c->stacks[class_];
    struct blk *b = likely(own->top) ? blk_pop(own) : blk_refill(c, class_);
    if (likely(b)) {
        blk_unpoison(b);
    } else {
        b = malloc(sizeof *b + blk_classes[class_].cap);
        if (!b)
            return NULL;
        b->class_ = class_;
    }
    b->next = NULL;
    atomic_init(&b->refs, 1);
    b->cap = blk_classes[class_].cap;
    b->head = b->len = 0;
    return b;
}

struct blk *blk_ref(struct blk *b)
{
    atomic_fetch_add_explicit(&b->refs, 1, memory_order_relaxed);
    return b;
}

static void blk_recycle(struct blk *b)
{
    struct blk_cache *c = &blk_own;
    unsigned class_ = b->class_;
    struct blk_stack *own = &c->stacks[class_];
    if (unlikely(!c->live && !c->dead))
        blk_thread_begin(c);
    blk_poison(b);
    blk_push(own, b);
    if (unlikely(c->dead))
        blk_to_depot(own, class_, 1);
    else if (unlikely(own->count > blk_classes[class_].own))
        blk_to_depot(own, class_, (own->count + 1) / 2);
}

void blk_put(struct blk *b)
{
    if (!b)
        return;
    /* A sole owner need not lock the bus: nobody else can be adding references. */
    if (atomic_load_explicit(&b->refs, memory_order_acquire) == 1 ||
        atomic_fetch_sub_explicit(&b->refs, 1, memory_order_acq_rel) == 1)
        blk_recycle(b);
}
