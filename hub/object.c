/*
 * Objects (对象) in memory: bytes that their provider puts: the road network, a list. And the getting of one by who is in this process: a
 * use as any other (hub/object.h), whose one piece is the whole.
 */
#include "base/mem.h"
#include "hub/object_parts.h"

#include <string.h>

#define OBJECT_MAX (256u << 20)

/* ---- the provider's side ---- */

void hub_blob_release(struct hub_blob *blob)
{
    if (blob && atomic_fetch_sub_explicit(&blob->n_refs, 1, memory_order_acq_rel) == 1)
        mem_free(blob);
}

void hub_object_drop(struct hub_entry *entry)
{
    pthread_mutex_lock(&entry->lock);
    hub_blob_release(entry->blob);
    entry->blob = NULL;
    pthread_mutex_unlock(&entry->lock);
}

enum err hub_object_put(struct hub *hub, const struct hub_resource *resource, struct str media_type, struct str bytes)
{
    struct hub_entry *entry = (struct hub_entry *)hub_entry_of(resource);
    if (resource->kind != HUB_OBJECT || entry->system)
        return ERR_STATE;
    if (bytes.len > OBJECT_MAX || media_type.len >= HUB_MEDIA_TYPE_MAX)
        return ERR_TOO_LARGE;
    struct hub_blob *blob = mem_alloc(sizeof *blob + media_type.len + bytes.len);
    if (!blob)
        return ERR_NO_MEMORY;
    char *at = (char *)(blob + 1);
    memcpy(at, media_type.ptr, media_type.len);
    if (bytes.len)
        memcpy(at + media_type.len, bytes.ptr, bytes.len);
    blob->media_type = (struct str){at, media_type.len};
    blob->bytes = (struct str){at + media_type.len, bytes.len};
    blob->digest = crypto_sha256(blob->bytes);
    atomic_init(&blob->n_refs, 1);
    pthread_mutex_lock(&entry->lock);
    struct hub_blob *old = entry->blob;
    entry->blob = blob;
    pthread_mutex_unlock(&entry->lock);
    hub_blob_release(old);
    return ERR_OK;
}

struct hub_blob *hub_blob_hold(struct hub_entry *entry)
{
    pthread_mutex_lock(&entry->lock);
    struct hub_blob *blob = entry->blob;
    if (blob)
        atomic_fetch_add_explicit(&blob->n_refs, 1, memory_order_relaxed);
    pthread_mutex_unlock(&entry->lock);
    return blob;
}

/* ---- getting one, in this process ---- */

struct getting {
    struct hub_object_use use;
    struct hub_object_get *get;
};

static void ready(struct hub_object_use *use)
{
    struct getting *getting = container_of(use, struct getting, use);
    struct hub_object_get *get = getting->get;
    const struct hub_blob *blob = use->refusal.err ? NULL : hub_object_blob(use);
    get->refusal = use->refusal;
    memcpy(get->receipt, use->receipt, sizeof get->receipt);
    if (blob) {
        get->media_type = blob->media_type;
        get->bytes = blob->bytes;
        get->digest = blob->digest;
    } else if (!use->refusal.err) {
        get->refusal.err = ERR_UNSUPPORTED;
        diag_set(&get->refusal.diag, ERR_UNSUPPORTED, NULL, 0, "it lies at its department, and is read in pieces");
    }
    get->done(get); /* it is the caller's again */
    if (!use->refusal.err)
        hub_object_end(use, blob ? ERR_OK : ERR_UNSUPPORTED, blob ? blob->bytes.len : 0);
    mem_free(getting);
}

void hub_object_get_start(struct hub *hub, struct hub_object_get *get)
{
    struct getting *getting = mem_alloc_zero(1, sizeof *getting);
    if (!getting) { /* nothing can be posted without memory; every other refusal comes later, on the loop */
        get->refusal = (struct hub_refusal){.err = ERR_NO_MEMORY};
        get->done(get);
        return;
    }
    getting->get = get;
    getting->use =
        (struct hub_object_use){.party = get->party, .resource = get->resource, .purpose = get->purpose, .loop = get->loop, .ready = ready};
    hub_object_start(hub, &getting->use);
}
