/*
 * The rules of a case, numbered as in docs/case.md.
 */
#include "business/case/case.h"

#include <string.h>

const char *const case_state_names[] = {"open", "assigned", "doing", "measuring", "closed", NULL};

static void note(struct case_step *step, const struct case_record *before, const char *what, struct str text)
{
    step->notes[step->n_notes++] = (struct case_note){.what = what,
        .from = before ? before->state : step->after.state,
        .to = step->after.state,
        .owner = step->after.owner,
        .text = text};
    step->is_changed = true;
}

static void give(struct case_step *step, const struct case_post *post)
{
    step->after.owner = post->post;
    step->after.owner_area = post->area;
}

static int64_t due(const struct case_rules *rules, const struct case_record *record, struct wall_time now)
{
    return now.ms + case_kind_find(rules, record->kind)->deadline_ms;
}

/* 1: an alarm that no case knows, or only one that was closed too long ago, opens a case; the rules say whose it is and by when */
static void open_new(const struct case_rules *rules, const struct case_event *event, struct wall_time now, struct case_step *step)
{
    struct case_record *after = &step->after;
    *after = event->alert;
    after->id = 0;
    after->state = CASE_OPEN;
    after->opened_ms = after->changed_ms = after->last_alert_ms = now.ms;
    after->n_alerts = 1;
    after->due_ms = due(rules, after, now);
    after->is_private = case_kind_find(rules, after->kind)->to_party;
    give(step, case_owner(rules, after->kind, after->area, after->party));
    step->is_new = true;
    step->rule = 1;
    note(step, NULL, "opened", STR_NONE);
}

static void reopen(
    const struct case_rules *rules, const struct case_record *before, struct str text, struct wall_time now, struct case_step *step)
{
    step->after.state = CASE_OPEN;
    step->after.closed_ms = 0;
    step->after.is_late = false;
    step->after.n_reopened++;
    step->after.due_ms = due(rules, before, now);
    note(step, before, "reopened", text);
}

/* A case says how things stand now. */
static void describe(const struct case_event *event, struct case_step *step)
{
    step->after.title_zh = event->alert.title_zh;
    step->after.title_en = event->alert.title_en;
    step->after.detail = event->alert.detail;
}

/* 15: one of several alarms has ended: the case goes on with a shorter list */
static void on_list(const struct case_record *before, const struct case_event *event, struct case_step *step)
{
    if (!before || before->state == CASE_CLOSED)
        return;
    step->rule = 15;
    step->is_changed = true;
    describe(event, step);
}

static void on_alert(const struct case_rules *rules, const struct case_record *before, const struct case_event *event, struct wall_time now,
    struct case_step *step)
{
    bool is_once = before && case_kind_find(rules, before->kind)->is_once;
    if (!before ||
        (before->state == CASE_CLOSED && !is_once && now.ms - before->closed_ms > case_kind_find(rules, before->kind)->reopen_within_ms)) {
        open_new(rules, event, now, step);
        return;
    }
    step->after.last_alert_ms = now.ms;
    step->after.n_alerts++;
    describe(event, step);
    if (before->state != CASE_CLOSED ||
        is_once) { /* 2: the same alarm again joins its open case, or its only one: counted, not told again */
        step->rule = 2;
        step->is_changed = true;
        return;
    }
    step->rule = 3; /* 3: within the kind's window it opens the closed case again, at the post that had it */
    reopen(rules, before, STR_NONE, now, step);
}

/* 4: measured in order: a case of a measured kind closes by itself, from any state; another kind does not care */
static void on_green(const struct case_rules *rules, const struct case_record *before, struct wall_time now, struct case_step *step)
{
    if (!before || before->state == CASE_CLOSED || !case_kind_find(rules, before->kind)->is_measured)
        return;
    step->rule = 4;
    step->after.state = CASE_CLOSED;
    step->after.closed_ms = now.ms;
    step->after.due_ms = 0;
    note(step, before, "measured", STR_NONE);
}

/* 12: after "done" it did not become green in time: open again; 13: late: one level up, with a deadline anew; at the top it stays, marked;
 * 16: closed for as long as its kind is kept: its last step says so, and it is deleted when that one is in the ledger (keep.h) */
static void on_tick(const struct case_rules *rules, const struct case_record *before, struct wall_time now, struct case_step *step)
{
    int64_t keep_ms = case_kind_find(rules, before->kind)->keep_ms;
    if (before->state == CASE_CLOSED && keep_ms > 0 && now.ms - before->closed_ms >= keep_ms) {
        step->rule = 16;
        note(step, before, "deleted", STR_NONE);
        return;
    }
    if (before->state == CASE_CLOSED || before->due_ms == 0 || now.ms < before->due_ms)
        return;
    step->rule = 13;
    if (before->state == CASE_MEASURING) {
        step->rule = 12;
        reopen(rules, before, STR_NONE, now, step);
        return;
    }
    const struct case_post *above = case_above(rules, before->kind, before->owner, before->owner_area);
    step->after.is_late = true;
    if (above) {
        give(step, above);
        step->after.n_escalated++;
        step->after.due_ms = due(rules, before, now);
        note(step, before, "escalated", STR_NONE);
    } else {
        step->after.due_ms = 0;
        note(step, before, "late", STR_NONE);
    }
}

/* 9: words close a case that words can close; 10: one that is measured waits for the measured value */
static void on_close(const struct case_rules *rules, const struct case_record *before, const struct case_event *event, struct wall_time now,
    struct case_step *step)
{
    const struct case_kind *kind = case_kind_find(rules, before->kind);
    step->rule = kind->is_measured ? 10 : 9;
    step->after.state = kind->is_measured ? CASE_MEASURING : CASE_CLOSED;
    step->after.due_ms = kind->is_measured ? now.ms + kind->measure_within_ms : 0;
    step->after.closed_ms = kind->is_measured ? 0 : now.ms;
    note(step, before, kind->is_measured ? "done" : "closed", event->text);
}

static enum err on_person(const struct case_rules *rules, const struct case_record *before, const struct case_event *event,
    struct wall_time now, struct case_step *step)
{
    bool is_closed = before->state == CASE_CLOSED;
    switch (event->what) {
    case CASE_ASSIGN: /* 5: an open case is given to a post; its deadline stays */
        if (is_closed || before->state == CASE_MEASURING)
            return ERR_STATE;
        step->rule = 5;
        step->after.state = CASE_ASSIGNED;
        step->after.owner = event->to;
        step->after.owner_area = event->to_area;
        note(step, before, "assigned", event->text);
        return ERR_OK;
    case CASE_START: /* 6: somebody begins; who has begun does not begin twice */
        if (before->state != CASE_OPEN && before->state != CASE_ASSIGNED)
            return ERR_STATE;
        step->rule = 6;
        step->after.state = CASE_DOING;
        note(step, before, "started", event->text);
        return ERR_OK;
    case CASE_COMMENT: /* 7: words may be added at any time, also after closing */
        if (str_is_empty(event->text))
            return ERR_SYNTAX;
        step->rule = 7;
        note(step, before, "comment", event->text);
        return ERR_OK;
    case CASE_CLOSE: /* 8: closing needs a result in words, once */
        if (is_closed || before->state == CASE_MEASURING)
            return ERR_STATE;
        if (str_is_empty(event->text))
            return ERR_SYNTAX;
        on_close(rules, before, event, now, step);
        return ERR_OK;
    default: /* 11: a person opens a closed case again, and says why */
        if (!is_closed)
            return ERR_STATE;
        if (str_is_empty(event->text))
            return ERR_SYNTAX;
        step->rule = 11;
        reopen(rules, before, event->text, now, step);
        return ERR_OK;
    }
}

enum err case_step(const struct case_rules *rules, const struct case_record *before, const struct case_event *event, struct wall_time now,
    struct case_step *ret_step)
{
    struct case_step step = {0};
    enum err err = ERR_OK;
    if (before)
        step.after = *before;
    if (event->what == CASE_ALERT)
        on_alert(rules, before, event, now, &step);
    else if (event->what == CASE_GREEN)
        on_green(rules, before, now, &step);
    else if (event->what == CASE_LIST)
        on_list(before, event, &step);
    else if (!before)
        err = ERR_NOT_FOUND;
    else if (event->what == CASE_TICK)
        on_tick(rules, before, now, &step);
    else
        err = on_person(rules, before, event, now, &step);
    if (err)
        return err;
    if (step.is_changed)
        step.after.changed_ms = now.ms;
    *ret_step = step;
    return ERR_OK;
}
