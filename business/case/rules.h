/*
 * Whose case it is, and by when (cases.yaml, docs/case.md): kinds of case with their deadlines, the posts that answer for areas, and for
 * parties whose affair a case is. Read once, then only read.
 */
#ifndef BUSINESS_CASE_RULES_H
#define BUSINESS_CASE_RULES_H

#include "base/yaml.h"
#include "hub/hub.h"

#define CASE_KINDS_MAX 500
#define CASE_POSTS_MAX 20000 /* Hangzhou has about 200 streets and 3,000 communities */
#define CASE_STREAMS_MAX 32

struct case_kind {
    struct str name; /* "source.stale" */
    struct str title_zh, title_en;
    bool to_party;             /* the party's post answers, not the area's */
    bool is_measured;          /* closes when the measured value says so; else with a result in words */
    int64_t deadline_ms;       /* until somebody has closed it; then it goes one level up, and again */
    int64_t measure_within_ms; /* after "done" it must be green by then */
    int64_t reopen_within_ms;  /* the same alarm after closing is the same case so long */
    bool is_once;              /* one alarm is one case, for as long as it is kept: told again after the closing it opens nothing */
    bool is_grouped;           /* alarms of one party, system and area are one case with a list */
    int64_t keep_ms;           /* after its closing a case is kept so long, then deleted; 0: for ever */
    int64_t after_ms;          /* red for so long before it is a case: for sources */
};

struct case_post {
    struct str post, area;
    struct str party; /* of `parties:`; empty: of `posts:` */
    struct str kind;  /* only for this kind; empty: for all */
};

struct case_rules;

/* `path`: cases.yaml. Areas and parties are looked up in the hub. Every error is told. */
enum err case_rules_load(const char *path, const struct hub *hub, struct diag_list *diags, struct case_rules **ret_rules) MUST_CHECK;
void case_rules_destroy(struct case_rules *rules);           /* takes NULL */
struct str case_rules_party(const struct case_rules *rules); /* in whose name alerts are subscribed */
struct str case_rules_purpose(const struct case_rules *rules);
struct str case_rules_source(const struct case_rules *rules); /* the stream of sources; empty: none */
size_t case_rules_n_alerts(const struct case_rules *rules);
struct str case_rules_alert(const struct case_rules *rules, size_t at); /* streams of alerts */

const struct case_kind *case_kind_find(const struct case_rules *rules, struct str name); /* "other" for one that is not declared */
const struct case_post *case_post_find(const struct case_rules *rules, struct str post); /* NULL: answers for nothing */
size_t case_n_posts(const struct case_rules *rules);
const struct case_post *case_post_at(const struct case_rules *rules, size_t at);
/* Who answers for a case of this kind: the party's post, else the post of the area or the nearest above it. Never NULL. */
const struct case_post *case_owner(const struct case_rules *rules, struct str kind, struct str area, struct str party);
/* The post one level above `owner`, which sits at `owner_area`; NULL: there is none. */
const struct case_post *case_above(const struct case_rules *rules, struct str kind, struct str owner, struct str owner_area);

#endif
