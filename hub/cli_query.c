/*
 * A query from the shell: knows no more than any program does.
 */
#include "hub/cli_query.h"

#include "base/json.h"
#include "http/client.h"
#include "hub/cli_call.h"

#include <stdlib.h>
#include <string.h>

#define URL_MAX 2048
#define BODY_MAX 65536

static enum err make_body(const struct hub_cli_query *query, struct buf *out)
{
    struct json_writer w;
    int64_t i;
    double r;
    json_writer_init(&w, out);
    json_begin_object(&w);
    json_field_c(&w, "purpose", query->purpose);
    json_field_c(&w, "sql", query->sql);
    json_key(&w, "parameters");
    json_begin_array(&w);
    for (size_t at = 0; at < query->n_parameters; at++) {
        struct str text = str_from_c(query->parameters[at]);
        if (str_to_i64(text, &i) == ERR_OK)
            json_put_i64(&w, i);
        else if (str_to_double(text, &r) == ERR_OK)
            json_put_real(&w, r);
        else
            json_put_str(&w, text);
    }
    json_end_array(&w);
    json_field_bool(&w, "explain", query->is_explain);
    json_end_object(&w);
    return out->err;
}

static void print_cell(FILE *out, const json_t *cell)
{
    if (json_is_string(cell)) {
        for (const char *c = json_string_value(cell); *c; c++)
            fputc(*c == '\t' || *c == '\n' || *c == '\r' ? ' ' : *c, out);
    } else if (!json_is_null(cell)) {
        char *text = json_dumps(cell, JSON_ENCODE_ANY | JSON_COMPACT | JSON_REAL_PRECISION(15));
        fputs(text ? text : "", out);
        free(text);
    }
}

static void print_line(FILE *out, const json_t *cells)
{
    for (size_t i = 0; i < json_array_size(cells); i++) {
        if (i)
            fputc('\t', out);
        print_cell(out, json_array_get(cells, i));
    }
    fputc('\n', out);
}

static const char *member(const json_t *object, const char *name)
{
    const char *text = json_string_value(json_object_get(object, name));
    return text ? text : "";
}

static void print_notes(FILE *error, const json_t *answer)
{
    size_t i;
    const json_t *item;
    if (json_is_true(json_object_get(answer, "truncated")))
        fputs("truncated: there are more rows\n", error);
    json_array_foreach(json_object_get(answer, "explain"), i, item)
    {
        fprintf(error, "%s: %s; round trips %lld, rows %lld\n", member(item, "resource"), member(item, "asked"),
            json_integer_value(json_object_get(item, "round_trips")), json_integer_value(json_object_get(item, "rows")));
    }
    json_array_foreach(json_object_get(answer, "receipts"), i, item)
    {
        fprintf(error, "receipt %s: %s under %s\n", member(item, "receipt"), member(item, "resource"), member(item, "contract"));
    }
}

int hub_cli_query_print(struct str body, bool is_json, FILE *out, FILE *error)
{
    json_t *answer;
    size_t i;
    const json_t *row;
    if (is_json) {
        fprintf(out, STR_FORMAT "\n", STR_ARG(body));
        return 0;
    }
    if (json_read(body, NULL, &answer)) {
        fputs("citybrain query: the answer is not JSON\n", error);
        return 2;
    }
    print_line(out, json_object_get(answer, "columns"));
    json_array_foreach(json_object_get(answer, "rows"), i, row)
    {
        print_line(out, row);
    }
    fflush(out); /* what follows goes another way */
    print_notes(error, answer);
    json_decref(answer);
    return 0;
}

int hub_cli_query(const struct hub_cli_query *query, bool is_json, FILE *out, FILE *error)
{
    char url[URL_MAX];
    struct http_response response;
    struct buf body;
    int code = 2;
    buf_init(&body, BODY_MAX);
    snprintf(url, sizeof url, "%s/hub/v1/query", query->url);
    enum err err = make_body(query, &body);
    struct http_request request = {
        .method = "POST", .url = url, .bearer = query->token, .content_type = "application/json", .body = buf_str(&body)};
    if (!err)
        err = http_client_perform(&request, &response);
    buf_finish(&body);
    if (err) {
        fprintf(error, "citybrain query: %s (%s); is the brain running?\n", err_text(err), query->url);
        return code;
    }
    if (response.status == 200) {
        code = hub_cli_query_print(buf_str(&response.body), is_json, out, error);
    } else {
        struct str text = buf_str(&response.body);
        fprintf(error, STR_FORMAT "\n", STR_ARG(text));
        hub_cli_tell_rule(text, error);
        code = response.status == 401 ? 2 : 1;
    }
    buf_finish(&response.body);
    return code;
}
