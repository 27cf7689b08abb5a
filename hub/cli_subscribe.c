/* A subscription from the shell. It knows no more than any program does. */
#include "hub/cli_subscribe.h"

#include "base/json.h"
#include "http/client.h"
#include "hub/cli_call.h"

#include <string.h>

#define URL_MAX 4096
#define FIELDS_BYTES_MAX 4096
#define SILENCE_MS 60000 /* the hub sends something each ten seconds */

/* ---- events ---- */

void hub_cli_events_init(struct hub_cli_events *events, FILE *out, uint64_t n_rows)
{
    *events = (struct hub_cli_events){.out = out, .n_left = n_rows ? n_rows : UINT64_MAX};
    buf_init(&events->line, HUB_CLI_EVENT_MAX);
    buf_init(&events->data, HUB_CLI_EVENT_MAX);
}

void hub_cli_events_finish(struct hub_cli_events *events)
{
    buf_finish(&events->line);
    buf_finish(&events->data);
}

static enum err take_window(struct hub_cli_events *events, const json_t *window)
{
    struct str contract, receipt;
    if (json_get_str(window, "contract", &contract) || json_get_str(window, "receipt", &receipt) ||
        str_to_c(contract, events->contract, sizeof events->contract) || str_to_c(receipt, events->receipt, sizeof events->receipt))
        return ERR_SYNTAX;
    return ERR_OK;
}

static enum err print_row(struct hub_cli_events *events, json_t *row)
{
    struct buf line;
    json_t *object = json_object();
    buf_init(&line, HUB_CLI_EVENT_MAX + 1024);
    json_object_set_new(object, "contract", json_string(events->contract));
    json_object_set_new(object, "receipt", json_string(events->receipt));
    enum err err = json_object_set(object, "row", row) ? ERR_NO_MEMORY : json_write_canonical(object, &line);
    json_decref(object);
    buf_append_byte(&line, '\n');
    err = err ? err : line.err;
    if (!err && fwrite(line.ptr, 1, line.len, events->out) != line.len)
        err = ERR_IO;
    buf_finish(&line);
    return err;
}

static enum err take_rows(struct hub_cli_events *events, const json_t *rows)
{
    size_t i;
    json_t *row;
    enum err err = json_is_array(rows) && events->receipt[0] ? ERR_OK : ERR_SYNTAX; /* no row without a receipt */
    json_array_foreach(rows, i, row)
    {
        if (err || events->n_left == 0)
            break;
        err = json_is_object(row) ? print_row(events, row) : ERR_SYNTAX;
        events->n_left--;
    }
    if (!err && fflush(events->out))
        err = ERR_IO;
    events->is_enough = !err && events->n_left == 0;
    return err ? err : events->is_enough ? ERR_CANCELLED : ERR_OK;
}

/* What is no row but would have been one. */
static enum err take_left_out(struct hub_cli_events *events, const json_t *left_out)
{
    struct str detail;
    if (events->error && json_get_str(left_out, "detail", &detail) == ERR_OK)
        fprintf(events->error, "citybrain subscribe: left out under %s: " STR_FORMAT "\n", events->receipt, STR_ARG(detail));
    return ERR_OK;
}

static enum err take_end(struct hub_cli_events *events, const json_t *end)
{
    int64_t rule;
    events->is_ended = true;
    if (json_get_i64(end, "rule", &rule) == ERR_OK)
        events->rule = (int)rule;
    return ERR_CANCELLED;
}

static enum err take_event(struct hub_cli_events *events)
{
    static const struct {
        const char *name;
        enum err (*take)(struct hub_cli_events *events, const json_t *json);
    } kinds[] = {{"window", take_window}, {"rows", take_rows}, {"left_out", take_left_out}, {"end", take_end}};
    enum err err = ERR_OK;
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        json_t *json;
        if (strcmp(events->event, kinds[i].name) != 0)
            continue;
        err = json_read(buf_str(&events->data), NULL, &json);
        if (!err) {
            err = kinds[i].take(events, json);
            json_decref(json);
        }
    }
    events->event[0] = '\0'; /* a ping, or what a later hub may send: nothing to say */
    buf_reset(&events->data);
    return err;
}

/* "name: value"; the space is left out. */
static bool has_name(struct str line, const char *name, struct str *ret_value)
{
    size_t len = strlen(name);
    if (line.len < len || memcmp(line.ptr, name, len) != 0)
        return false;
    *ret_value = str_slice(line, len + (line.len > len && line.ptr[len] == ' '), line.len);
    return true;
}

static enum err take_line(struct hub_cli_events *events)
{
    struct str line = buf_str(&events->line), value;
    if (line.len > 0 && line.ptr[line.len - 1] == '\r')
        line.len--;
    if (line.len == 0)
        return take_event(events);
    if (has_name(line, "event:", &value)) {
        if (str_to_c(value, events->event, sizeof events->event))
            events->event[0] = '\0';
    } else if (has_name(line, "data:", &value)) {
        if (events->data.len > 0)
            buf_append_byte(&events->data, '\n');
        buf_append_str(&events->data, value);
    }
    return events->data.err;
}

enum err hub_cli_events_take(struct hub_cli_events *events, struct str bytes)
{
    enum err err = ERR_OK;
    while (bytes.len > 0 && !err) {
        const char *end = memchr(bytes.ptr, '\n', bytes.len);
        size_t len = end ? (size_t)(end - bytes.ptr) : bytes.len;
        buf_append(&events->line, bytes.ptr, len);
        bytes = str_slice(bytes, len + (end != NULL), bytes.len);
        err = events->line.err;
        if (end && !err) {
            err = take_line(events);
            buf_reset(&events->line);
        }
    }
    return err;
}

/* ---- asking ---- */

static enum err on_bytes(void *context, struct str bytes)
{
    return hub_cli_events_take(context, bytes);
}

static enum err make_url(const struct hub_cli_subscribe *subscribe, char url[URL_MAX])
{
    const struct hub_cli_call call = {
        .url = subscribe->url, .token = subscribe->token, .resource = subscribe->resource, .purpose = subscribe->purpose};
    struct buf text, granted;
    enum err err = ERR_OK;
    buf_init(&text, URL_MAX);
    buf_init(&granted, FIELDS_BYTES_MAX);
    if (subscribe->fields)
        buf_append_c(&granted, subscribe->fields);
    else
        err = hub_cli_granted(&call, &granted);
    buf_append_byte(&granted, '\0');
    buf_printf(&text, "%s/hub/v1/subscribe/%s", subscribe->url, subscribe->resource);
    if (!err && !granted.err) {
        hub_cli_put(&text, "?purpose=", subscribe->purpose);
        hub_cli_put(&text, "&fields=", granted.ptr);
    }
    err = err ? err : granted.err ? granted.err : text.err ? text.err : str_to_c(buf_str(&text), url, URL_MAX);
    buf_finish(&granted);
    buf_finish(&text);
    return err;
}

static int tell(const struct hub_cli_events *events, enum err err, struct http_response *response, const char *url, FILE *error)
{
    if (events->is_enough)
        return 0;
    if (events->is_ended) {
        fprintf(error, "citybrain subscribe: the hub ended it: rule %d of docs/decide.md\n", events->rule);
        return 1;
    }
    if (!err && response->status != 200) {
        fprintf(error, STR_FORMAT "\n", STR_ARG(buf_str(&response->body)));
        return response->status == 401 ? 2 : 1;
    }
    switch (err) {
    case ERR_IO:
        fprintf(error, "citybrain subscribe: the output takes no more\n");
        break;
    case ERR_SYNTAX:
    case ERR_TOO_LARGE:
        fprintf(error, "citybrain subscribe: %s sends what is no event of a hub's\n", url);
        break;
    default:
        fprintf(error, "citybrain subscribe: %s: %s; is the brain running?\n", url, err ? err_text(err) : "it broke off");
    }
    return 2;
}

int hub_cli_subscribe(const struct hub_cli_subscribe *subscribe, FILE *out, FILE *error)
{
    char url[URL_MAX];
    struct hub_cli_events events;
    struct http_response response = {0};
    hub_cli_events_init(&events, out, subscribe->n_rows);
    events.error = error;
    enum err err = make_url(subscribe, url);
    const struct http_request request = {
        .method = "GET", .url = url, .bearer = subscribe->token, .timeout_ms = SILENCE_MS, .on_bytes = on_bytes, .context = &events};
    bool is_asked = !err;
    if (!err)
        err = http_client_perform(&request, &response);
    int code = tell(&events, err, &response, subscribe->url, error);
    if (is_asked && !err)
        buf_finish(&response.body);
    hub_cli_events_finish(&events);
    return code;
}
