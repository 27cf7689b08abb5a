/*
 * Requests to witnesses. See brain/sender.h and struct ledger_sender.
 */
#include "brain/sender.h"

#include "base/mem.h"
#include "http/client.h"
#include "ledger/gather.h"

#include <stdio.h>
#include <string.h>

#define URL_MAX 512

struct sender {
    struct ledger_sender slots; /* first member */
    struct loop_thread *thread;
    struct http_client *client; /* the loop's */
    enum err err;
};

/* One request, from send() to its answer. */
struct asking {
    struct loop_task task;
    struct sender *sender;
    struct ledger *ledger;
    size_t witness;
    char url[URL_MAX];
    size_t len;
    char body[];
};

static void answered(void *context, enum err err, const struct http_response *response)
{
    struct asking *asking = context;
    ledger_answered(asking->ledger, asking->witness, err, response ? response->status : 0, response ? buf_str(&response->body) : STR_NONE);
    mem_free(asking);
}

static void start(struct loop_task *task)
{
    struct asking *asking = container_of(task, struct asking, task);
    struct http_request request = {.method = "POST",
        .url = asking->url,
        .content_type = "text/plain; charset=utf-8",
        .body = {asking->body, asking->len},
        .timeout_ms = SENDER_TIMEOUT_MS,
        .answer_max = GATHER_ANSWER_MAX};
    enum err err = asking->sender->client ? http_client_start(asking->sender->client, &request, answered, asking) : ERR_CANCELLED;
    if (err)
        answered(asking, err, NULL);
}

static void send_to(struct ledger_sender *slots, struct ledger *ledger, size_t witness, struct str url, struct str body)
{
    struct sender *sender = (struct sender *)(void *)slots;
    struct asking *asking = mem_alloc(sizeof *asking + body.len);
    if (!asking) {
        ledger_answered(ledger, witness, ERR_NO_MEMORY, 0, STR_NONE);
        return;
    }
    *asking = (struct asking){.task = {.fn = start}, .sender = sender, .ledger = ledger, .witness = witness, .len = body.len};
    int len = snprintf(asking->url, sizeof asking->url, STR_FORMAT "/add-checkpoint", STR_ARG(url));
    memcpy(asking->body, body.ptr, body.len);
    if (len < 0 || len >= URL_MAX)
        answered(asking, ERR_TOO_LARGE, NULL);
    else
        loop_post(loop_thread_loop(sender->thread), &asking->task);
}

/* On the loop, behind all that was sent: what is pending ends with ERR_CANCELLED before this returns. */
static void end_client(void *context)
{
    struct sender *sender = context;
    http_client_destroy(sender->client);
    sender->client = NULL;
}

static void stop(struct ledger_sender *slots)
{
    struct sender *sender = (struct sender *)(void *)slots;
    loop_thread_call(sender->thread, end_client, sender);
}

static void begin_client(void *context)
{
    struct sender *sender = context;
    sender->err = http_client_create(loop_thread_loop(sender->thread), 1, &sender->client);
}

enum err sender_create(struct clock *clock, struct sender **ret_sender)
{
    struct sender *sender = mem_alloc_zero(1, sizeof *sender);
    if (!sender)
        return ERR_NO_MEMORY;
    sender->slots = (struct ledger_sender){.send = send_to, .stop = stop};
    enum err err = loop_thread_start(clock, "witnesses", &sender->thread);
    if (!err) {
        loop_thread_call(sender->thread, begin_client, sender);
        err = sender->err;
    }
    if (err)
        sender_destroy(sender);
    else
        *ret_sender = sender;
    return err;
}

struct ledger_sender *sender_slots(struct sender *sender)
{
    return &sender->slots;
}

void sender_destroy(struct sender *sender)
{
    if (!sender)
        return;
    if (sender->thread && sender->client)
        loop_thread_call(sender->thread, end_client, sender);
    loop_thread_stop(sender->thread);
    mem_free(sender);
}
