/* wbuf.c - the slow half of wbuf.h: getting and growing the block. A block never shows more capacity than the limit
 * allows, so that the inline writes need no second compare. Knows nothing of message formats. */
#include "wbuf.h"

static void wbuf_fail(struct wbuf *w)
{
    blk_put(TAKE_PTR(w->blk));
    w->bad = true;
}

static struct blk *wbuf_block(const struct wbuf *w, size_t cap)
{
    struct blk *b = blk_get(cap);
    if (b)
        b->cap = MIN(b->cap, w->limit);
    return b;
}

void wbuf_init(struct wbuf *w, size_t expect, size_t limit)
{
    *w = (struct wbuf){.limit = (uint32_t)MIN(limit, (size_t)BLK_MAX)};
    w->blk = wbuf_block(w, MIN(expect, (size_t)w->limit));
    w->bad = !w->blk;
}

void wbuf_done(struct wbuf *w)
{
    blk_put(TAKE_PTR(w->blk));
}

struct blk *wbuf_take(struct wbuf *w)
{
    return w->bad ? NULL : TAKE_PTR(w->blk);
}

uint8_t *wbuf_grow(struct wbuf *w, size_t n)
{
    if (w->bad || !w->blk)
        goto fail; /* also: a write after wbuf_take() */
    size_t len = w->blk->len, need = len + n;
    if (n > w->limit || need > w->limit)
        goto fail;
    if (need > w->blk->cap) {
        struct blk *b = wbuf_block(w, MIN(MAX(need, 2 * len), (size_t)w->limit));
        if (!b)
            goto fail;
        memcpy(b->data, w->blk->data, len);
        blk_put(w->blk);
        w->blk = b;
    }
    w->blk->len = (uint32_t)need;
    return w->blk->data + len;
fail:
    wbuf_fail(w);
    return NULL;
}
