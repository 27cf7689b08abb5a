/*
 * Commands: a POST to the department's own interface with the key in a header. An interface that keeps keys does each one once and answers
 * the second time as the first; one that does not is declared at_most_once, and is never asked a second time.
 */
#include "base/mem.h"
#include "system/http/inside.h"

#include <stdio.h>
#include <string.h>

struct http_acting {
    struct http_system *system;
    const struct http_command *command;
    struct hub_ask *ask;
};

static void answered(struct loop_task *task)
{
    struct hub_ask *ask = container_of(task, struct hub_ask, task);
    ask->done(ask);
}

static void answer(struct hub_ask *ask, enum err err)
{
    ask->err = err;
    ask->task.fn = answered;
    loop_post(ask->loop, &ask->task);
}

static void finish(struct http_acting *acting, enum err err)
{
    atomic_fetch_sub(&acting->system->n_open, 1);
    answer(acting->ask, err);
    mem_free(acting);
}

/* The answer as a JSON object, an empty one when it is none; of a refusal its words as a JSON text. */
static void put_answer(struct buf *out, const struct http_response *response, bool is_refusal)
{
    json_t *json = NULL;
    struct json_writer w;
    struct str words = STR_NONE;
    buf_reset(out);
    json_writer_init(&w, out);
    bool is_object = !json_read(buf_str(&response->body), NULL, &json) && json_is_object(json);
    if (is_refusal) {
        if (!is_object || (json_get_str(json, "detail", &words) && json_get_str(json, "message", &words)))
            words = STR("the department's interface refuses it");
        json_put_str(&w, str_slice(words, 0, 500));
    } else if (is_object) {
        json_put_raw(&w, str_trim(buf_str(&response->body)));
    } else {
        json_begin_object(&w);
        json_end_object(&w);
    }
    json_decref(json);
}

static void on_done(void *context, enum err err, const struct http_response *response)
{
    struct http_acting *acting = context;
    int status = response ? response->status : 0;
    http_tell(acting->system, err, response);
    if (err) {
        finish(acting, err == ERR_NO_MEMORY ? ERR_IO : ERR_TIMEOUT); /* whether it came there nobody knows */
    } else if (status / 100 == 2) {
        hub_department_report(&acting->system->department, HUB_FRESH, "");
        put_answer(acting->ask->answer, response, false);
        finish(acting, acting->ask->answer->err ? ERR_TOO_LARGE : ERR_OK);
    } else if (status == 400 || status == 404 || status == 422) {
        put_answer(acting->ask->answer, response, true);
        finish(acting, ERR_RANGE);
    } else {
        /* 401, 403, 405, 429 are given before anything is done; 409 (under way), 5xx and the rest say nothing for sure. */
        finish(acting, status == 401 || status == 403 || status == 405 || status == 429 ? ERR_UNAVAILABLE : ERR_TIMEOUT);
    }
}

static enum err header_of(const struct http_acting *acting, struct buf *out)
{
    struct str key = acting->ask->key;
    buf_append_str(out, acting->command->key_header);
    buf_append_c(out, ": \"");
    for (size_t i = 0; i < key.len; i++)
        buf_append_byte(out, (unsigned char)key.ptr[i] < ' ' || strchr("\"\\\x7f", key.ptr[i]) ? '_' : key.ptr[i]);
    buf_append(out, "\"", 2); /* a string of RFC 8941, with its NUL */
    return out->err;
}

static void begin(struct loop_task *task)
{
    struct hub_ask *ask = container_of(task, struct hub_ask, task);
    struct http_acting *acting = ask->system_state;
    struct http_system *system = acting->system;
    struct http_given given = {0};
    struct buf url, body, header;
    buf_init(&url, HTTP_URL_MAX);
    buf_init(&body, HTTP_BODY_MAX);
    buf_init(&header, 512);
    for (size_t i = 0; i < ask->resource->n_fields; i++)
        if (ask->values[i].type != VALUE_NULL)
            given.eq[i] = &ask->values[i];
    bool is_paused = clock_mono(system->department.clock).ns < system->open_again.ns;
    enum err err = is_paused || atomic_load(&system->is_stopping) ? ERR_UNAVAILABLE : ERR_OK;
    if (!err)
        err = http_form_write(system, &acting->command->form, &acting->command->mapping, &given, NULL, &url, &body);
    if (err == ERR_NOT_FOUND || err == ERR_UNSUPPORTED || err == ERR_TOO_LARGE) {
        buf_reset(ask->answer);
        buf_append_c(ask->answer, "\"the department's interface cannot be asked with these values\"");
        err = ERR_RANGE;
    }
    if (!err)
        err = header_of(acting, &header);
    if (!err)
        err = http_request(system, &acting->command->form, buf_str(&url), buf_str(&body), system->timeout_ms, header.ptr, on_done, acting);
    if (err)
        finish(acting, err == ERR_RANGE ? err : ERR_UNAVAILABLE); /* nothing was sent */
    buf_finish(&url);
    buf_finish(&body);
    buf_finish(&header);
}

void http_act(void *context, struct hub_ask *ask)
{
    struct http_system *system = context;
    const struct http_command *command = system->commands;
    while (command && command->resource != ask->resource)
        command = command->next;
    bool is_taken = command && system->thread && !atomic_load(&system->is_stopping);
    if (is_taken && atomic_fetch_add(&system->n_open, 1) >= HTTP_OPEN_MAX) {
        atomic_fetch_sub(&system->n_open, 1);
        metric_add(&system->n_refused, 1);
        is_taken = false;
    }
    struct http_acting *acting = is_taken ? mem_alloc_zero(1, sizeof *acting) : NULL;
    if (!acting) {
        if (is_taken)
            atomic_fetch_sub(&system->n_open, 1);
        answer(ask, ERR_UNAVAILABLE);
        return;
    }
    *acting = (struct http_acting){system, command, ask};
    ask->system_state = acting;
    ask->task.fn = begin;
    loop_post(loop_thread_loop(system->thread), &ask->task);
}
