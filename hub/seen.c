/* Gathering pseudonyms, and handing them to the index. */
#include "hub/seen.h"

#include "base/mem.h"
#include "hub/parts.h"

#include <string.h>

#define KEY_BYTES 1024

static void write_key(struct buf *out, struct str name, struct value value)
{
    struct json_writer w;
    json_writer_init(&w, out);
    json_begin_object(&w);
    json_key_str(&w, name);
    json_put_value(&w, value);
    json_end_object(&w);
}

/* ---- of a use by key ---- */

void hub_subjects_init(struct hub_subjects *subjects)
{
    subjects->n = 0;
    buf_init(&subjects->text, HUB_SUBJECTS_MAX * HUB_REQUEST_MAX);
}

void hub_subjects_add(struct hub_subjects *subjects, const struct hub_field *field, struct value value)
{
    if (field->class < HUB_PERSONAL || value.type == VALUE_NULL || subjects->n == HUB_SUBJECTS_MAX)
        return;
    write_key(&subjects->text, field->name, value);
    subjects->ends[subjects->n++] = subjects->text.len;
}

enum err hub_subjects_read(struct hub_subjects *subjects)
{
    for (size_t i = 0, from = 0; i < subjects->n; from = subjects->ends[i++])
        subjects->json[i] = str_slice(buf_str(&subjects->text), from, subjects->ends[i] - from);
    return subjects->text.err;
}

void hub_subjects_finish(struct hub_subjects *subjects)
{
    buf_finish(&subjects->text);
}

/* ---- of a use's rows ---- */

bool hub_seen_tells(const struct hub_resource *resource, const struct hub_field *field)
{
    return field->class >= HUB_PERSONAL && (field->is_key || resource->kind == HUB_STREAM);
}

void hub_seen_init(struct hub_seen_subjects *seen, struct hub *hub, struct wall_time now)
{
    pthread_mutex_lock(&hub->waiting_lock);
    *seen = (struct hub_seen_subjects){.hub = hub->noting.uses ? hub : NULL, .now = now};
    pthread_mutex_unlock(&hub->waiting_lock);
}

/* A place for one more; NULL: there is none, and it is counted. */
static uint8_t *place(struct hub_seen_subjects *seen)
{
    if (seen->n == seen->cap && seen->cap < HUB_SEEN_MAX) {
        size_t cap = seen->cap ? seen->cap * 4 : 64;
        cap = cap > HUB_SEEN_MAX ? HUB_SEEN_MAX : cap;
        void *more = mem_resize(seen->subjects, cap * HUB_SEEN_BYTES);
        if (more) {
            seen->subjects = more;
            seen->cap = cap;
        }
    }
    if (seen->n < seen->cap)
        return seen->subjects[seen->n++];
    seen->n_unnoted++;
    return NULL;
}

void hub_seen_add(struct hub_seen_subjects *seen, const struct hub_field *field, struct value value)
{
    const struct hub_epoch *epoch;
    struct buf key;
    if (!seen->hub || value.type == VALUE_NULL)
        return;
    buf_init(&key, KEY_BYTES);
    write_key(&key, field->name, value);
    if (!key.err && hub_epoch_get(seen->hub, seen->now, &epoch) == ERR_OK) {
        struct sha256 subject =
            crypto_hmac_sha256((struct str){(const char *)epoch->subject_key, sizeof epoch->subject_key}, buf_str(&key));
        bool is_last =
            seen->n && memcmp(seen->subjects[seen->n - 1], subject.bytes, HUB_SEEN_BYTES) == 0; /* rows often come in its order */
        uint8_t *to = is_last ? NULL : place(seen);
        if (to)
            memcpy(to, subject.bytes, HUB_SEEN_BYTES);
    }
    buf_finish(&key);
}

void hub_seen_tell(struct hub_seen_subjects *seen, uint64_t intent)
{
    struct hub *hub = seen->hub;
    if (hub && (seen->n || seen->n_unnoted)) {
        pthread_mutex_lock(&hub->waiting_lock); /* whoever takes note may be closing */
        if (hub->noting.uses)
            hub->noting.note(hub->noting.uses, intent, seen->subjects, seen->n, seen->n_unnoted);
        pthread_mutex_unlock(&hub->waiting_lock);
    }
    hub_seen_finish(seen);
}

void hub_seen_finish(struct hub_seen_subjects *seen)
{
    mem_free(seen->subjects);
    *seen = (struct hub_seen_subjects){.hub = NULL};
}
