/* A ring of digests: of the resource with the posting's name, and of its body. See postings.h. */
#include "system/push/postings.h"

#include "base/crypto.h"
#include "base/mem.h"

#include <pthread.h>
#include <string.h>

enum state { FREE, UNDER_WAY, ACCEPTED };

struct posting {
    struct sha256 name, body;
    size_t n_accepted;
    enum state state;
};

struct push_postings {
    pthread_mutex_t lock;
    size_t next; /* the oldest, which goes next */
    struct posting ring[POSTINGS_KEPT];
};

enum err push_postings_create(struct push_postings **ret_postings)
{
    struct push_postings *postings = mem_alloc_zero(1, sizeof *postings);
    if (!postings)
        return ERR_NO_MEMORY;
    pthread_mutex_init(&postings->lock, NULL);
    *ret_postings = postings;
    return ERR_OK;
}

void push_postings_destroy(struct push_postings *postings)
{
    if (!postings)
        return;
    pthread_mutex_destroy(&postings->lock);
    mem_free(postings);
}

/* Neither half can be stretched into the other: a resource's name is first made a digest of fixed length. */
static struct sha256 name_of(struct str resource, struct str name)
{
    struct sha256 digest = crypto_sha256(resource);
    return crypto_sha256_2((struct str){(const char *)digest.bytes, sizeof digest.bytes}, name);
}

static struct posting *find(struct push_postings *postings, struct sha256 name)
{
    for (size_t i = 0; i < POSTINGS_KEPT; i++)
        if (postings->ring[i].state != FREE && memcmp(&postings->ring[i].name, &name, sizeof name) == 0)
            return &postings->ring[i];
    return NULL;
}

/* The oldest place that is not under way; NULL: all are. */
static struct posting *take_place(struct push_postings *postings)
{
    for (size_t i = 0; i < POSTINGS_KEPT; i++) {
        struct posting *place = &postings->ring[postings->next];
        postings->next = (postings->next + 1) % POSTINGS_KEPT;
        if (place->state != UNDER_WAY)
            return place;
    }
    return NULL;
}

enum err push_postings_begin(struct push_postings *postings, struct str resource, struct str name, struct str body, size_t *ret_accepted)
{
    struct sha256 id = name_of(resource, name), digest = crypto_sha256(body);
    enum err err = ERR_OK;
    pthread_mutex_lock(&postings->lock);
    struct posting *known = find(postings, id), *place = known ? NULL : take_place(postings);
    if (known && memcmp(&known->body, &digest, sizeof digest) != 0) {
        err = ERR_STATE;
    } else if (known && known->state == ACCEPTED) {
        *ret_accepted = known->n_accepted;
        err = ERR_EXISTS;
    } else if (known || !place) {
        err = ERR_BUSY;
    } else {
        *place = (struct posting){.name = id, .body = digest, .state = UNDER_WAY};
    }
    pthread_mutex_unlock(&postings->lock);
    return err;
}

void push_postings_end(struct push_postings *postings, struct str resource, struct str name, bool is_accepted, size_t n_accepted)
{
    struct sha256 id = name_of(resource, name);
    pthread_mutex_lock(&postings->lock);
    struct posting *posting = find(postings, id);
    if (posting) {
        posting->state = is_accepted ? ACCEPTED : FREE;
        posting->n_accepted = n_accepted;
    }
    pthread_mutex_unlock(&postings->lock);
}
