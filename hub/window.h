/*
 * A window of a subscription: what one receipt covers. Its intent leaf is durable before is_ready says so; its outcome leaf, with the
 * count and digest of the rows that were handed over, follows when it closes.
 *
 * The digest is SHA-256 over the rows in order, each value as a type byte and its content (docs/hub.md, "Digest of a window"), and the
 * leaf holds it under a salt.
 */
#ifndef HUB_WINDOW_H
#define HUB_WINDOW_H

#include "hub/parts.h"

#define HUB_WINDOW_MS 10000
#define HUB_WINDOW_ROWS 10000

struct hub_window_state;

struct hub_window_options {
    struct hub_contract *contract;
    const struct str *fields; /* kept */
    size_t n_fields;
    struct str twin; /* the receipt of the same window at the asker's own hub, another one; empty: subscribed here */
    bool is_paced;   /* when the next one begins the hub says, not who takes the rows: an unused one is given back, however short */
    struct loop *loop;
    struct wall_time now; /* as which it was decided and counted */
    /* On the loop: its intent is durable (ERR_OK), or never will be. Not called after hub_window_close(). */
    void (*on_ready)(void *context, struct hub_window_state *window, enum err err);
    void *context;
};

/* Begins its intent leaf. ERR_FULL: the ledger is behind. Where `loop` is another thread's, on_ready may run before this returns, and the
 * window may be gone: who opens it from elsewhere takes it from there. */
enum err hub_window_open(const struct hub_window_options *options, struct hub_window_state **ret_window) MUST_CHECK;
bool hub_window_is_ready(const struct hub_window_state *window);
uint64_t hub_window_intent(const struct hub_window_state *window); /* its leaf, when it is ready */
size_t hub_window_n_rows(const struct hub_window_state *window);
int64_t hub_window_age_ms(const struct hub_window_state *window, struct mono_time now); /* since its first row */
const struct hub_window *hub_window_public(const struct hub_window_state *window);
enum err hub_window_add(struct hub_window_state *window, const struct rows *rows, struct mono_time now) MUST_CHECK;
/* Takes the window (or NULL): its outcome leaf is written, with `status` ("ok", or "unused" when no row came), then it is freed. An unused
 * one that stood HUB_WINDOW_MS gives its use of the day and month back; a shorter one costs two leaves, and counts. */
void hub_window_close(struct hub_window_state *window, const char *status);

#endif
