/*
 * Uses from the shell over the bus. Before the first one the hub is asked for the resource's fields and the asker's contracts on it, as the
 * command does over HTTP: types of what is given as text, and the fields when none are named.
 */
#include "hub/cli_bus.h"

#include "hub/bus_ask.h"

#include <string.h>

#define ANSWER_MAX (16u << 20)
#define CLI_LINE_MAX 65536
#define ARENA_MAX (1u << 20)

/* ---- one question ---- */

struct asking {
    struct bus_ask ask;
    const struct hub_bus_ask *asked;
    struct json_writer w;
    struct buf json; /* the answer as the HTTP door gives it, or the problem */
    char receipt[HUB_RECEIPT_MAX];
    enum err err; /* of what came: ERR_SYNTAX */
    int status;   /* 200 or 422, or a problem's */
    size_t n_parts;
    bool is_truncated, is_done;
};

static void take_problem(struct asking *asking, const struct hub_bus_answer *answer)
{
    buf_reset(&asking->json);
    asking->status = answer->problem.status;
    http_problem_write(&answer->problem, &asking->json);
}

static void take_act(struct asking *asking, const struct hub_bus_answer *answer)
{
    struct json_writer *w = &asking->w;
    asking->status = answer->is_refused ? 422 : 200;
    json_begin_object(w);
    json_field_c(w, "state", answer->is_refused ? "refused" : "done");
    json_key(w, answer->is_refused ? "why" : "answer");
    json_put_raw(w, str_is_empty(answer->json) ? STR("null") : answer->json);
    json_field_bool(w, "repeated", answer->is_repeated);
    json_field_str(w, "receipt", answer->receipt);
    json_end_object(w);
}

static enum err take_rows(struct asking *asking, const struct hub_bus_answer *answer)
{
    const struct hub_bus_ask *asked = asking->asked;
    if (asking->n_parts == 0) {
        json_begin_object(&asking->w);
        json_key(&asking->w, "rows");
        json_begin_array(&asking->w);
    }
    return hub_bus_rows_json(answer->rest, asked->fields, asked->n_fields, &asking->w, &asking->is_truncated);
}

static void on_part(struct bus_ask *ask, struct str bytes)
{
    struct asking *asking = container_of(ask, struct asking, ask);
    struct hub_bus_answer answer;
    if (asking->err || asking->status >= 400)
        return;
    asking->err = hub_bus_answer_read(asking->asked->what, bytes, &answer);
    if (!asking->err)
        asking->err = str_to_c(answer.receipt, asking->receipt, sizeof asking->receipt);
    if (asking->err)
        return;
    if (answer.problem.status)
        take_problem(asking, &answer);
    else if (asking->asked->what == HUB_BUS_CALL)
        asking->err = take_rows(asking, &answer);
    else if (asking->asked->what == HUB_BUS_ACT)
        take_act(asking, &answer);
    else
        buf_append_str(&asking->json, answer.json);
    asking->n_parts++;
}

static void on_done(struct bus_ask *ask)
{
    struct asking *asking = container_of(ask, struct asking, ask);
    asking->is_done = true;
    if (ask->err) {
        asking->err = ask->err;
        return;
    }
    if (asking->status >= 400 || asking->err)
        return;
    asking->status = 200;
    if (asking->asked->what == HUB_BUS_CALL) {
        json_end_array(&asking->w);
        json_field_bool(&asking->w, "truncated", asking->is_truncated);
        json_field_c(&asking->w, "receipt", asking->receipt);
        json_end_object(&asking->w);
    }
    asking->err = asking->json.err;
}

/* Asks and waits. ERR_OK: asking->status and asking->json say what came; to be finished by buf_finish(&asking->json) in any case. */
static enum err ask(const struct hub_cli_bus *bus, const struct hub_bus_ask *asked, struct asking *asking)
{
    struct buf question;
    *asking = (struct asking){.asked = asked};
    buf_init(&asking->json, ANSWER_MAX);
    json_writer_init(&asking->w, &asking->json);
    buf_init(&question, HUB_BUS_ASK_MAX);
    hub_bus_ask_write(asked, &question);
    enum err err = question.err;
    if (!err) {
        asking->ask = (struct bus_ask){.party = bus->hub,
            .bytes = buf_str(&question),
            .timeout_ms = bus->wait_ms,
            .may_repeat = asked->what != HUB_BUS_ACT, /* who asked repeats it, by its key */
            .loop = bus->loop,
            .on_part = on_part,
            .done = on_done};
        bus_peer_ask(bus->peer, &asking->ask);
        while (!asking->is_done && !err)
            err = loop_run_once(bus->loop, 100);
    }
    buf_finish(&question);
    return err ? err : asking->err;
}

static int tell(const struct hub_cli_bus *bus, bool is_act, enum err err, FILE *error)
{
    switch (err) {
    case ERR_UNAVAILABLE:
        fprintf(error,
            "citybrain: none of the processes of " STR_FORMAT " answers at %s; the hub's need --bus, and the party a key: there\n",
            STR_ARG(bus->hub), bus->url);
        break;
    case ERR_TIMEOUT:
    case ERR_IO:
        fprintf(error, "citybrain: no answer came%s\n",
            is_act ? "; nobody knows whether it was done: ask again with the same key, it acts once" : "");
        break;
    default:
        fprintf(error, "citybrain: %s\n", err_text(err));
    }
    return 2;
}

static int print(const struct asking *asking, FILE *out)
{
    struct str json = buf_str(&asking->json);
    fprintf(out, STR_FORMAT "\n", STR_ARG(json));
    fflush(out);
    return asking->status == 200 ? 0 : 1;
}

/* ---- what a use is made of ---- */

struct using
{
    const struct hub_cli_bus *bus;
    const struct hub_cli_call *call;
    json_t *terms;
    struct str fields[HUB_FIELDS_MAX];
    size_t n_fields;
};

static const char *text_of(const json_t *object, const char *member)
{
    const char *text = json_string_value(json_object_get(object, member));
    return text ? text : "";
}

static bool add_field(struct using *using, struct str name)
{
    if (using->n_fields == HUB_FIELDS_MAX)
        return false;
    using->fields[using->n_fields++] = name;
    return true;
}

/* Those given, else those of the contract that is named or is for this purpose. False: too many. */
static bool read_fields(struct using *using)
{
    const struct hub_cli_call *call = using->call;
    size_t i, j;
    json_t *contract, *name;
    struct str rest = str_from_c(call->fields), one;
    while (str_cut(rest, ',', &one, &rest))
        if (!str_is_empty(one) && !add_field(using, one))
            return false;
    if (!str_is_empty(rest) && !add_field(using, rest))
        return false;
    json_array_foreach(json_object_get(using->terms, "contracts"), i, contract)
    {
        bool fits = call->contract ? strcmp(text_of(contract, "contract"), call->contract) == 0
                                   : strcmp(text_of(contract, "purpose"), call->purpose) == 0;
        if (call->fields || !fits || using->n_fields)
            continue;
        json_array_foreach(json_object_get(contract, "fields"), j, name)
        {
            if (!add_field(using, str_from_c(json_string_value(name))))
                return false;
        }
    }
    return true;
}

/* The text as the field's type; as a text when there is no such field: the hub says what is wrong. */
static struct value typed(const struct using *using, struct str name, const char *text)
{
    size_t i;
    json_t *field;
    enum value_type type = VALUE_TEXT;
    struct value value = value_text(str_from_c(text));
    json_array_foreach(json_object_get(using->terms, "fields"), i, field)
    {
        if (str_equal_c(name, text_of(field, "name")) && value_type_parse(str_from_c(text_of(field, "type")), &type))
            return value;
    }
    struct value read = value;
    json_t *json = NULL;
    switch (type) {
    case VALUE_INTEGER:
        read.type = VALUE_INTEGER;
        return str_to_i64(str_from_c(text), &read.i) ? value : read;
    case VALUE_REAL:
        read.type = VALUE_REAL;
        return str_to_double(str_from_c(text), &read.r) ? value : read;
    case VALUE_BOOLEAN:
        return value_boolean(strcmp(text, "true") == 0 || strcmp(text, "1") == 0);
    case VALUE_TIME:
        json = json_string(text);
        if (json_to_value(json, VALUE_TIME, &read))
            read = value;
        json_decref(json);
        return read;
    default:
        return value;
    }
}

/* NAME=VALUE texts into names and values. ERR_SYNTAX: one has no name. */
static enum err read_pairs(
    const struct using *using, const char *const *pairs, size_t n, struct str names[CLI_KEYS_MAX], struct value values[CLI_KEYS_MAX])
{
    for (size_t i = 0; i < n; i++) {
        const char *is = strchr(pairs[i], '=');
        if (!is || is == pairs[i])
            return ERR_SYNTAX;
        names[i] = (struct str){pairs[i], (size_t)(is - pairs[i])};
        values[i] = typed(using, names[i], is + 1);
    }
    return ERR_OK;
}

/* One use; `asking` as of ask(). */
static enum err use(const struct using *using, const char *key, const char *const *pairs, size_t n, struct asking *asking)
{
    const struct hub_cli_call *call = using->call;
    struct str names[CLI_KEYS_MAX];
    struct value values[CLI_KEYS_MAX];
    enum err err = n > CLI_KEYS_MAX ? ERR_TOO_LARGE : read_pairs(using, pairs, n, names, values);
    if (err) {
        buf_init(&asking->json, 0);
        return err;
    }
    const struct hub_bus_ask asked = {.what = call->act_key ? HUB_BUS_ACT : HUB_BUS_CALL,
        .wait_ms = using->bus->wait_ms,
        .resource = str_from_c(call->resource),
        .purpose = str_from_c(call->purpose),
        .contract = str_from_c(call->contract),
        .key = str_from_c(key),
        .names = names,
        .values = values,
        .n_values = n,
        .fields = using->fields,
        .n_fields = using->n_fields};
    return ask(using->bus, &asked, asking);
}

/* 0: go on; else the exit code, told. */
static int begin(struct using *using, FILE *error)
{
    const struct hub_bus_ask asked = {.what = HUB_BUS_TERMS, .wait_ms = using->bus->wait_ms, .resource = str_from_c(using->call->resource)};
    struct asking asking;
    int code = 0;
    enum err err = ask(using->bus, &asked, &asking);
    if (!err && asking.status == 200)
        err = json_read(buf_str(&asking.json), NULL, &using->terms);
    if (err)
        code = tell(using->bus, false, err, error);
    else if (asking.status != 200)
        code = print(&asking, error);
    else if (!using->call->act_key && !read_fields(using))
        code = tell(using->bus, false, ERR_TOO_LARGE, error);
    buf_finish(&asking.json);
    return code;
}

int hub_cli_bus_call(const struct hub_cli_bus *bus, const struct hub_cli_call *call, FILE *out, FILE *error)
{
    struct using using = {.bus = bus, .call = call};
    struct asking asking;
    int code = begin(&using, error);
    if (code == 0) {
        enum err err = use(&using, call->act_key, call->keys, call->n_keys, &asking);
        if (err == ERR_SYNTAX)
            fprintf(error, "citybrain: a key is given as NAME=VALUE\n");
        code = err == ERR_SYNTAX ? 2
               : err             ? tell(bus, call->act_key != NULL, err, error)
                                 : print(&asking, asking.status == 200 ? out : error);
        buf_finish(&asking.json);
    }
    json_decref(using.terms);
    return code;
}

/* ---- a line each ---- */

/* Cuts `line` at its tabs, in place. */
static size_t cut(char *line, const char **parts, size_t max)
{
    size_t n = 0;
    line[strcspn(line, "\r\n")] = '\0';
    for (char *at = line; at && n < max; n++) {
        parts[n] = at;
        if ((at = strchr(at, '\t')))
            *at++ = '\0';
    }
    return n;
}

static int use_line(const struct using *using, char *line, FILE *out)
{
    const char *parts[CLI_KEYS_MAX + 1];
    struct asking asking;
    size_t n = cut(line, parts, CLI_KEYS_MAX + 1), first = using->call->act_key ? 1 : 0;
    enum err err = use(using, parts[0], parts + first, n - first, &asking);
    int code = 2;
    if (!err)
        code = print(&asking, out);
    else {
        fprintf(out, "{\"error\":\"%s\"}\n", err_text(err));
        fflush(out);
    }
    buf_finish(&asking.json);
    return code;
}

int hub_cli_bus_lines(const struct hub_cli_bus *bus, const struct hub_cli_call *call, FILE *in, FILE *out, FILE *error)
{
    static char line[CLI_LINE_MAX];
    struct using using = {.bus = bus, .call = call};
    int code = begin(&using, error);
    while (code != 2 && using.terms && fgets(line, sizeof line, in)) {
        int one = use_line(&using, line, out);
        code = one == 2 ? 1 : one > code ? one : code; /* what the bus lost is told on its line; the next one is tried */
    }
    json_decref(using.terms);
    return code;
}

/* ---- queries ---- */

int hub_cli_bus_query(const struct hub_cli_bus *bus, const struct hub_cli_query *query, bool is_json, FILE *out, FILE *error)
{
    struct value values[128];
    struct asking asking;
    int code;
    if (query->n_parameters > sizeof values / sizeof *values)
        return tell(bus, false, ERR_TOO_LARGE, error);
    for (size_t i = 0; i < query->n_parameters; i++) {
        struct str text = str_from_c(query->parameters[i]);
        struct value value = value_text(text);
        if (str_to_i64(text, &value.i) == ERR_OK)
            value.type = VALUE_INTEGER;
        else if (str_to_double(text, &value.r) == ERR_OK)
            value.type = VALUE_REAL;
        else
            value = value_text(text);
        values[i] = value;
    }
    const struct hub_bus_ask asked = {.what = HUB_BUS_QUERY,
        .wait_ms = bus->wait_ms,
        .purpose = str_from_c(query->purpose),
        .sql = str_from_c(query->sql),
        .is_explain = query->is_explain,
        .values = values,
        .n_values = query->n_parameters};
    enum err err = ask(bus, &asked, &asking);
    if (err)
        code = tell(bus, false, err, error);
    else if (asking.status == 200)
        code = hub_cli_query_print(buf_str(&asking.json), is_json, out, error);
    else
        code = print(&asking, error);
    buf_finish(&asking.json);
    return code;
}
