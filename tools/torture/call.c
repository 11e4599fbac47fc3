/* call.c - requests under way (wire.h). */
#include "wire.h"

struct call *call_new(struct wire *w, struct list *pending, const char *what, uint64_t id)
{
    struct call *c = calloc(1, sizeof *c);
    if (!c)
        torture_fail("out of memory");
    c->wire = w;
    c->what = what;
    c->id = id;
    c->sent = wire_now();
    list_append(pending, &c->link);
    return c;
}

void call_answer(struct call *c, uint32_t status, const uint8_t *body, size_t n)
{
    c->status = status;
    c->answered = wire_now();
    c->arrival = c->wire->arrivals;
    c->done = true;
    list_remove(&c->link);
    if (n && (c->reply = malloc(n)) != NULL) {
        memcpy(c->reply, body, n);
        c->nreply = n;
    }
}

void call_lose(struct list *pending)
{
    struct call *c;
    while ((c = list_first(pending, struct call, link)) != NULL)
        call_answer(c, CALL_LOST, NULL, 0);
}

void call_free(struct call *c)
{
    if (!c)
        return;
    list_remove(&c->link);
    free(c->reply);
    free(c->request);
    free(c);
}

static bool call_done(void *arg) { return ((struct call *)arg)->done; }
bool call_wait(struct call *c, unsigned ms) { return wire_wait(c->wire, ms, call_done, c); }

uint32_t call_result(struct call *c, struct call_result *ret)
{
    uint32_t status = call_wait(c, c->wire->patience) ? c->status : CALL_TIMEOUT;
    if (ret)
        *ret = c->r;
    call_free(c);
    return status;
}
uint32_t call_end(struct call *c) { return call_result(c, NULL); }
