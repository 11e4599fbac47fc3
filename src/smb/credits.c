/* credits.c - the command sequence window of a connection ([MS-SMB2] 3.3.1.1, 3.3.1.2, 3.3.5.2.3).
 *
 * The window is [low, low + range): message ids that were granted, of which the bitmap says which were used already.
 * It is never wider than the connection's most credits, so a client that leaves one id unused gets no more than
 * that, and a ring of so many bits is enough. Knows nothing of messages. */
#include "internal.h"

struct smb_credits {
    uint32_t max;     /* width of the ring */
    uint64_t low;
    uint32_t range;
    uint32_t granted; /* ids granted and not used */
    uint64_t used[];
};

struct smb_credits *smb_credits_new(uint32_t max)
{
    max = MAX(max, 1u);
    struct smb_credits *k = calloc(1, sizeof *k + (max + 63) / 64 * sizeof k->used[0]);
    if (!k)
        return NULL;
    k->max = max;
    k->range = k->granted = 1; /* message id 0 */
    return k;
}

void smb_credits_free(struct smb_credits *k)
{
    free(k);
}

static uint64_t *word(struct smb_credits *k, uint64_t id, uint64_t *ret_bit)
{
    uint64_t at = id % k->max;
    *ret_bit = 1ull << (at % 64);
    return &k->used[at / 64];
}

static bool take(struct smb_credits *k, uint64_t id)
{
    uint64_t bit, *w = word(k, id, &bit);
    if (id < k->low || id - k->low >= k->range || (*w & bit))
        return false;
    *w |= bit;
    if (id != k->low)
        return true;
    while (k->range && (w = word(k, k->low, &bit), *w & bit)) {
        *w &= ~bit;
        k->low++;
        k->range--;
    }
    return true;
}

bool smb_credits_consume(struct smb_credits *k, uint64_t id, uint16_t charge)
{
    if (charge > k->granted || id > UINT64_MAX - charge)
        return false;
    for (uint16_t i = 0; i < charge; i++)
        if (!take(k, id + i))
            return false;
    k->granted -= charge;
    return true;
}

uint16_t smb_credits_grant(struct smb_credits *k, uint16_t charge, uint16_t requested, bool extra)
{
    uint32_t want = MAX(charge, 1);
    if (extra && requested > 1)
        want += MIN((uint32_t)requested - 1, k->max - MIN(want, k->max));
    /* Ids must not wrap; the last one is that of break notifications. */
    uint64_t possible = UINT64_MAX - k->low;
    possible = MIN(possible ? possible - 1 : 0, (uint64_t)k->max);
    possible = possible > k->range ? possible - k->range : 0;
    want = (uint32_t)MIN((uint64_t)MIN(want, 65535u), possible);
    k->granted += want;
    k->range += want;
    return (uint16_t)want;
}
