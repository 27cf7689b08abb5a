/*
 * What became of each key: {data}/act.sqlite, on a writer of its own. For hub/ alone.
 *
 * A parameter is never stored, only its hash under a salt of the row: enough to know the same request again.
 */
#ifndef HUB_ACT_STORE_H
#define HUB_ACT_STORE_H

#include "base/crypto.h"
#include "db/db.h"
#include "hub/act.h"

#define HUB_ACTS_TELL_MAX 256

enum act_found { ACT_NEW, ACT_ASKED, ACT_KNOWN, ACT_REFUSED, ACT_UNKNOWN, ACT_OTHER /* the same key, other parameters */ };
enum act_note { ACT_NOTE_BEGIN, ACT_NOTE_END, ACT_NOTE_FORGET };

struct hub_acts;

struct act_write { /* one look or note */
    struct db_write write;
    struct hub_acts *acts;
    enum act_note note;
    struct str party, resource, key; /* borrowed until done */
    struct sha256 request;           /* BEGIN: of the canonical request */
    bool is_once;                    /* BEGIN: at most once */
    struct wall_time now;
    enum act_found found; /* BEGIN: what was there; END: what to note; FORGET: ACT_NEW, forgotten, or ACT_ASKED, kept for another asking */
    bool is_ours;         /* BEGIN, ACT_ASKED: by this run of the program: it may be under way */
    struct buf answer;    /* BEGIN: what is noted; END: to note */
    char receipt[HUB_RECEIPT_MAX];
    void (*done)(struct act_write *write); /* on write.loop */
};

struct act_told { /* an act of unknown outcome */
    char party[160], resource[200], key[HUB_ACT_KEY_MAX + 1], receipt[HUB_RECEIPT_MAX];
};

enum err hub_acts_open(struct hub *hub, struct diag_list *diags) MUST_CHECK; /* also: what was under way at most once is unknown now */
void hub_acts_close(struct hub *hub);                                        /* commits what waits; what comes later is refused */
void hub_acts_destroy(struct hub *hub);
enum err hub_acts_submit(struct hub_acts *acts, struct act_write *write) MUST_CHECK;
void hub_acts_tell_soon(struct hub *hub); /* any thread */
/* Alerts of unknown outcomes, again: at a start for ten minutes, else for an hour; the key makes one case of them. On the hub's loop. */
void hub_acts_tell(struct hub *hub);

/* ---- hub/act.c ---- */
struct json_writer;
/* Values in the resource's order as an object in canonical form, without the absent ones; or the personal ones alone. */
void hub_act_put_values(struct json_writer *w, const struct hub_resource *resource, const struct value *values, bool personal_only);

struct metric_page;
void hub_acts_measure(struct hub_acts *acts, struct metric_page *page); /* takes NULL; while the hub runs */

#endif
