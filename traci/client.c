/*
 * The TraCI client: see client.h. One blocking socket; a message is written whole and its answer read whole.
 */
#include "traci/client.h"

#include "base/mem.h"

#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define COMMAND_ROOM 512u /* kept free in the queue for the step itself */

struct traci_client {
    int fd;
    struct bytes_writer queue; /* commands for the next step; its memory is `out` */
    uint32_t n_queued;
    uint8_t *out; /* TRACI_QUEUE_MAX bytes */
    uint8_t *in;  /* the last answer; grows to TRACI_MESSAGE_MAX */
    size_t in_cap;
    uint64_t n_refused;
    char refusal[256];
};

/* ---- bytes ---- */

static enum err wire_err(ssize_t n)
{
    if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
        return ERR_TIMEOUT;
    return ERR_UNAVAILABLE;
}

static enum err send_all(int fd, const uint8_t *bytes, size_t len)
{
    while (len > 0) {
        ssize_t n = send(fd, bytes, len, MSG_NOSIGNAL);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return wire_err(n);
        bytes = &bytes[n];
        len -= (size_t)n;
    }
    return ERR_OK;
}

static enum err receive_all(int fd, uint8_t *bytes, size_t len)
{
    while (len > 0) {
        ssize_t n = recv(fd, bytes, len, 0);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return wire_err(n);
        bytes = &bytes[n];
        len -= (size_t)n;
    }
    return ERR_OK;
}

static enum err receive_message(struct traci_client *client, struct bytes_reader *ret_body)
{
    uint8_t head[4];
    enum err err = receive_all(client->fd, head, sizeof head);
    if (err)
        return err;
    struct bytes_reader reader;
    bytes_reader_init(&reader, head, sizeof head);
    size_t len = bytes_read_u32be(&reader);
    if (len < sizeof head || len > TRACI_MESSAGE_MAX)
        return ERR_SYNTAX;
    len -= sizeof head;
    if (len > client->in_cap) {
        uint8_t *grown = mem_resize(client->in, len);
        if (!grown)
            return ERR_NO_MEMORY;
        client->in = grown;
        client->in_cap = len;
    }
    err = receive_all(client->fd, client->in, len);
    if (!err)
        bytes_reader_init(ret_body, client->in, len);
    return err;
}

/* Ends the message that is in the queue, sends it and reads the answer; the queue is empty afterwards. */
static enum err exchange(struct traci_client *client, struct bytes_reader *ret_body)
{
    traci_write_message_end(&client->queue);
    enum err err = client->queue.err;
    if (!err)
        err = send_all(client->fd, client->queue.ptr, client->queue.len);
    bytes_writer_init(&client->queue, client->out, TRACI_QUEUE_MAX);
    traci_write_message_begin(&client->queue);
    return err ? err : receive_message(client, ret_body);
}

static void note_refusal(struct traci_client *client, const struct traci_status *status)
{
    (void)snprintf(client->refusal, sizeof client->refusal, STR_FORMAT, STR_ARG(status->text));
}

/* The status of the command that was just sent; ERR_DENIED when SUMO refused it. */
static enum err expect(struct traci_client *client, struct bytes_reader *body, uint8_t command)
{
    struct traci_status status;
    enum err err = traci_read_status(body, &status);
    if (err)
        return err;
    if (status.command != command)
        return ERR_SYNTAX;
    if (status.result == 0)
        return ERR_OK;
    note_refusal(client, &status);
    return ERR_DENIED;
}

/* A subscription's status is followed by its first results, even when it was refused; they come with the step again. */
static void skip_first_results(struct bytes_reader *body)
{
    struct bytes_reader ahead = *body, content;
    uint8_t command;
    if (traci_read_command(&ahead, &command, &content) == ERR_OK && command >= TRACI_RESULTS + TRACI_LOOP)
        *body = ahead;
}

/* The queued commands' statuses come first, in order. */
static enum err read_queued(struct traci_client *client, struct bytes_reader *body)
{
    for (; client->n_queued > 0; client->n_queued--) {
        struct traci_status status;
        enum err err = traci_read_status(body, &status);
        if (err)
            return err;
        if (status.result != 0) {
            client->n_refused++;
            note_refusal(client, &status);
        }
        if (status.command >= TRACI_SUBSCRIBE + TRACI_LOOP && status.command < TRACI_RESULTS + TRACI_LOOP)
            skip_first_results(body);
    }
    return ERR_OK;
}

/* ---- life ---- */

enum err traci_connect(uint16_t port, struct traci_client **ret_client)
{
    enum err err = ERR_IO;
    struct traci_client *client = mem_alloc_zero(1, sizeof *client);
    if (!client)
        return ERR_NO_MEMORY;
    client->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (client->fd < 0)
        goto done;
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    if (connect(client->fd, (const struct sockaddr *)&address, sizeof address) != 0) {
        err = ERR_UNAVAILABLE;
        goto done;
    }
    int one = 1;
    struct timeval timeout = {.tv_sec = TRACI_TIMEOUT_S};
    if (setsockopt(client->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one) != 0 ||
        setsockopt(client->fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof timeout) != 0)
        goto done;
    client->out = mem_alloc(TRACI_QUEUE_MAX);
    err = client->out ? ERR_OK : ERR_NO_MEMORY;
    if (!err) {
        bytes_writer_init(&client->queue, client->out, TRACI_QUEUE_MAX);
        traci_write_message_begin(&client->queue);
        *ret_client = client;
        return ERR_OK;
    }
done:
    if (client->fd >= 0)
        (void)close(client->fd);
    mem_free(client);
    return err;
}

void traci_close(struct traci_client *client)
{
    if (!client)
        return;
    struct bytes_reader body;
    client->n_queued = 0;
    bytes_writer_init(&client->queue, client->out, TRACI_QUEUE_MAX);
    traci_write_message_begin(&client->queue);
    traci_write_close(&client->queue, traci_write_open(&client->queue, TRACI_CLOSE));
    (void)exchange(client, &body); /* SUMO may be gone already; then there is nobody to tell */
    (void)close(client->fd);
    mem_free(client->in);
    mem_free(client->out);
    mem_free(client);
}

/* ---- asking ---- */

/* A question travels alone: what is queued waits for its step. */
static enum err ask(struct traci_client *client, struct bytes_writer *question, uint8_t command, struct bytes_reader *ret_body)
{
    traci_write_message_end(question);
    if (question->err)
        return question->err;
    enum err err = send_all(client->fd, question->ptr, question->len);
    if (!err)
        err = receive_message(client, ret_body);
    return err ? err : expect(client, ret_body, command);
}

enum err traci_version(struct traci_client *client, int32_t *ret_api, char *ret_name, size_t size)
{
    uint8_t memory[64];
    struct bytes_writer question;
    bytes_writer_init(&question, memory, sizeof memory);
    traci_write_message_begin(&question);
    traci_write_close(&question, traci_write_open(&question, TRACI_GET_VERSION));
    struct bytes_reader body, content;
    enum err err = ask(client, &question, TRACI_GET_VERSION, &body);
    if (err)
        return err;
    uint8_t command;
    err = traci_read_command(&body, &command, &content);
    if (err)
        return err;
    int32_t api = (int32_t)bytes_read_u32be(&content);
    struct str name = traci_read_string(&content);
    if (content.err || command != TRACI_GET_VERSION)
        return ERR_SYNTAX;
    *ret_api = api;
    (void)snprintf(ret_name, size, STR_FORMAT, STR_ARG(name));
    return ERR_OK;
}

enum err traci_get(struct traci_client *client, uint8_t domain, uint8_t variable, struct str object, traci_variable_fn fn, void *context)
{
    uint8_t memory[1024];
    struct bytes_writer question;
    bytes_writer_init(&question, memory, sizeof memory);
    traci_write_message_begin(&question);
    size_t at = traci_write_open(&question, domain);
    bytes_write_u8(&question, variable);
    traci_write_string(&question, object);
    traci_write_close(&question, at);
    struct bytes_reader body;
    enum err err = ask(client, &question, domain, &body);
    if (err)
        return err;
    uint8_t command;
    struct traci_variable answer = {.domain = domain};
    err = traci_read_command(&body, &command, &answer.value);
    if (err)
        return err;
    answer.variable = bytes_read_u8(&answer.value);
    answer.object = traci_read_string(&answer.value);
    if (answer.value.err || command != domain + TRACI_ANSWER || answer.variable != variable)
        return ERR_SYNTAX;
    fn(context, &answer);
    return ERR_OK;
}

struct i32_answer {
    enum err err;
    int32_t i;
};

static void take_i32(void *context, const struct traci_variable *variable)
{
    struct i32_answer *answer = context;
    struct bytes_reader reader = variable->value;
    struct traci_value value;
    answer->err = traci_read_value(&reader, &value);
    if (!answer->err && value.tag != TRACI_I32)
        answer->err = ERR_SYNTAX;
    if (!answer->err)
        answer->i = value.i;
}

enum err traci_get_i32(struct traci_client *client, uint8_t domain, uint8_t variable, struct str object, int32_t *ret_i)
{
    struct i32_answer answer = {.err = ERR_SYNTAX};
    enum err err = traci_get(client, domain, variable, object, take_i32, &answer);
    if (!err)
        err = answer.err;
    if (!err)
        *ret_i = answer.i;
    return err;
}

static void write_subscription(struct bytes_writer *writer, uint8_t domain, struct str object, const uint8_t *variables, size_t n)
{
    assert(n <= UINT8_MAX);
    size_t at = traci_write_open(writer, (uint8_t)(domain + TRACI_SUBSCRIBE));
    bytes_write_f64be(writer, 0);
    bytes_write_f64be(writer, 1e9); /* more seconds than any run has */
    traci_write_string(writer, object);
    bytes_write_u8(writer, (uint8_t)n);
    bytes_write(writer, variables, n);
    traci_write_close(writer, at);
}

enum err traci_subscribe(struct traci_client *client, uint8_t domain, struct str object, const uint8_t *variables, size_t n)
{
    uint8_t memory[1024];
    struct bytes_writer question;
    struct bytes_reader body;
    bytes_writer_init(&question, memory, sizeof memory);
    traci_write_message_begin(&question);
    write_subscription(&question, domain, object, variables, n);
    return ask(client, &question, (uint8_t)(domain + TRACI_SUBSCRIBE), &body);
}

/* ---- queued ---- */

static bool has_room(const struct traci_client *client, size_t len)
{
    return client->queue.len + len + COMMAND_ROOM <= TRACI_QUEUE_MAX;
}

static size_t open_set(struct traci_client *client, uint8_t domain, uint8_t variable, struct str object)
{
    size_t at = traci_write_open(&client->queue, (uint8_t)(domain + TRACI_SET));
    bytes_write_u8(&client->queue, variable);
    traci_write_string(&client->queue, object);
    return at;
}

static void close_set(struct traci_client *client, size_t at)
{
    traci_write_close(&client->queue, at);
    client->n_queued++;
}

enum err traci_subscribe_later(struct traci_client *client, uint8_t domain, struct str object, const uint8_t *variables, size_t n)
{
    if (!has_room(client, object.len + n + 64))
        return ERR_FULL;
    write_subscription(&client->queue, domain, object, variables, n);
    client->n_queued++;
    return ERR_OK;
}

enum err traci_add_route(struct traci_client *client, struct str route, const struct str *edges, size_t n)
{
    size_t len = route.len + 64;
    for (size_t i = 0; i < n; i++)
        len += edges[i].len + 4;
    if (!has_room(client, len))
        return ERR_FULL;
    size_t at = open_set(client, TRACI_ROUTE, TRACI_ADD, route);
    traci_write_texts(&client->queue, edges, n);
    close_set(client, at);
    return ERR_OK;
}

enum err traci_add_vehicle(struct traci_client *client, const struct traci_departure *departure)
{
    const struct str texts[] = {departure->route, departure->type, STR("now"), departure->lane, departure->position, departure->speed,
        STR("current"), STR("max"), STR("current"), STR(""), STR(""), STR("")};
    size_t len = departure->vehicle.len + 128;
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        len += texts[i].len;
    if (!has_room(client, len))
        return ERR_FULL;
    size_t at = open_set(client, TRACI_VEHICLE, TRACI_VEHICLE_ADD, departure->vehicle);
    bytes_write_u8(&client->queue, TRACI_COMPOUND);
    bytes_write_u32be(&client->queue, 14);
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        traci_write_text(&client->queue, texts[i]);
    traci_write_i32(&client->queue, 4); /* seats */
    traci_write_i32(&client->queue, 0); /* persons that ride: not simulated */
    close_set(client, at);
    return ERR_OK;
}

enum err traci_set_signal(struct traci_client *client, struct str signal, uint8_t variable, struct value value)
{
    size_t len = value.type == VALUE_TEXT ? value.s.len : 0;
    if (!has_room(client, signal.len + len + 64))
        return ERR_FULL;
    size_t at = open_set(client, TRACI_SIGNAL, variable, signal);
    switch (value.type) {
    case VALUE_TEXT:
        traci_write_text(&client->queue, value.s);
        break;
    case VALUE_INTEGER:
        traci_write_i32(&client->queue, (int32_t)value.i);
        break;
    default:
        assert(value.type == VALUE_REAL); /* a signal has no other values */
        traci_write_f64(&client->queue, value.r);
    }
    close_set(client, at);
    return ERR_OK;
}

enum err traci_step(struct traci_client *client, double until_s, traci_variable_fn fn, void *context)
{
    size_t at = traci_write_open(&client->queue, TRACI_STEP);
    bytes_write_f64be(&client->queue, until_s);
    traci_write_close(&client->queue, at);
    struct bytes_reader body;
    enum err err = exchange(client, &body);
    if (!err)
        err = read_queued(client, &body);
    if (!err)
        err = expect(client, &body, TRACI_STEP);
    return err ? err : traci_read_results(&body, fn, context);
}

uint64_t traci_n_refused(const struct traci_client *client)
{
    return client->n_refused;
}

const char *traci_refusal(const struct traci_client *client)
{
    return client->refusal;
}
