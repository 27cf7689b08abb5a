/*
 * The desk where cases are kept: alerts and the health of sources come in as streams of the hub, under contract; people's steps by the
 * door; deadlines by a timer. Every step is a write of the store, acknowledged when it is on disk.
 *
 * A thread "cases" owns the subscriptions and the timer, the store's writer makes the steps one after the other, a thread "case list"
 * reads for the screens.
 */
#ifndef BUSINESS_CASE_DESK_H
#define BUSINESS_CASE_DESK_H

#include "hub/hub.h"

#define CASE_WRITES_MAX 4096 /* steps and batches of alerts waiting for the disk; past it 503, and streams wait */

struct case_desk_options {
    struct hub *hub;
    const char *rules_path; /* cases.yaml */
    const char *store_path; /* {data}/store/cases.sqlite */
    struct clock *clock;
    void (*fatal)(void *context, const char *part, enum err err); /* the disk refused; may be NULL */
    void *fatal_context;
};

struct case_desk;

enum err case_desk_open(const struct case_desk_options *options, struct diag_list *diags, struct case_desk **ret_desk) MUST_CHECK;
/* Subscribes and looks at deadlines from now on. ERR_DENIED: no contract; told in `diags`. */
enum err case_desk_start(struct case_desk *desk, struct diag_list *diags) MUST_CHECK;
void case_desk_stop(struct case_desk *desk);   /* no more alerts; takes NULL. Before the hub stops */
void case_desk_settle(struct case_desk *desk); /* what was posted to its thread has run */
/* When the doors are closed, while the loops of their servers still run: what waits is written. Takes NULL. */
void case_desk_close(struct case_desk *desk);
void case_measure(struct case_desk *desk, struct metric_page *page); /* any thread; takes NULL */
struct http_mount case_mount(struct case_desk *desk);
/* `citybrain check`: the file only; `hub` NULL: names are not looked up. */
enum err case_check(const char *rules_path, const struct hub *hub, struct diag_list *diags);

/* For tests: looks at all deadlines now and waits until what they led to is on disk. */
void case_desk_tick(struct case_desk *desk);

#endif
