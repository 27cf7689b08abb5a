/* The truth, pushed: see truth.h. */
#include "world/truth.h"

#include "base/json.h"
#include "base/mem.h"

#include <stdio.h>
#include <string.h>

#define BODY_MAX (4u << 20) /* 2 rows of about 150 bytes for each area */
#define PERIOD_MS 1000

struct truth {
    struct http_client *client;
    const struct world_city *city;
    const struct brain_clock *clock;
    const char *token_path;
    char url[256], token[256];
    int64_t last_record; /* number of the period */
    bool is_under_way;
    struct buf body;
    struct truth_counts counts;
};

static void write_rows(struct json_writer *w, const struct world_city *city, const uint32_t *counts, const char *time, int64_t period_ms)
{
    for (uint32_t i = 0; i < city->n_areas; i++) {
        json_begin_object(w);
        json_field_c(w, "name", "vehicles_true");
        json_field_c(w, "area", city->areas[i].name);
        json_field_c(w, "time", time);
        json_field_i64(w, "period_ms", period_ms);
        json_field_real(w, "value", counts[i]);
        json_field_i64(w, "n", counts[i]);
        json_key(w, "stale_since");
        json_put_null(w);
        json_field_c(w, "basis", "");
        json_end_object(w);
    }
}

void truth_write(const struct world_city *city, const uint32_t *counts, struct wall_time time, bool is_record, struct buf *out)
{
    struct json_writer w;
    char text[40];
    wall_format_rfc3339(time, (struct time_zone){0}, text);
    json_writer_init(&w, out);
    json_begin_object(&w);
    json_key(&w, "events");
    json_begin_array(&w);
    write_rows(&w, city, counts, text, PERIOD_MS);
    if (is_record)
        write_rows(&w, city, counts, text, TRUTH_RECORD_MS);
    json_end_array(&w);
    json_end_object(&w);
}

static void fail(struct truth *truth, const char *why)
{
    truth->counts.n_failed++;
    (void)snprintf(truth->counts.why, sizeof truth->counts.why, "%s", why);
}

static void on_answer(void *context, enum err err, const struct http_response *response)
{
    struct truth *truth = context;
    truth->is_under_way = false;
    if (err == ERR_CANCELLED)
        return;
    if (err) {
        fail(truth, err_text(err));
        return;
    }
    if (response->status >= 200 && response->status < 300) {
        truth->counts.n_accepted++;
        return;
    }
    char why[96];
    (void)snprintf(why, sizeof why, "the brain answers %d to %s", response->status, strrchr(truth->url, '/') + 1);
    fail(truth, why);
    if (response->status == 401 || response->status == 403)
        truth->token[0] = 0; /* read again: a new brain may have made a new one */
}

static bool has_token(struct truth *truth)
{
    if (truth->token[0])
        return true;
    FILE *file = fopen(truth->token_path, "re");
    if (!file)
        return false;
    char line[256] = {0};
    bool is_read = fgets(line, sizeof line, file) != NULL;
    (void)fclose(file);
    return is_read && str_to_c(str_trim(str_from_c(line)), truth->token, sizeof truth->token) == ERR_OK && truth->token[0];
}

void truth_publish(struct truth *truth, const uint32_t *counts, struct mono_time now)
{
    if (truth->is_under_way || !truth->clock->is_set)
        return;
    if (!has_token(truth)) {
        fail(truth, "no token yet; the brain makes it at its first start");
        return;
    }
    struct wall_time time = brain_clock_at(truth->clock, now);
    int64_t record = time.ms / TRUTH_RECORD_MS;
    bool is_record = truth->last_record != 0 && record != truth->last_record;
    truth->last_record = record;
    buf_reset(&truth->body);
    truth_write(truth->city, counts, time, is_record, &truth->body);
    const struct http_request request = {
        .method = "POST", .url = truth->url, .bearer = truth->token, .content_type = "application/json", .body = buf_str(&truth->body)};
    truth->is_under_way = true;
    enum err err = truth->body.err ? truth->body.err : http_client_start(truth->client, &request, on_answer, truth);
    if (err) {
        truth->is_under_way = false;
        fail(truth, err_text(err));
    }
}

void truth_count(const struct truth *truth, struct truth_counts *ret_counts)
{
    *ret_counts = truth->counts;
}

enum err truth_create(struct http_client *client, const struct world_city *city, const char *brain, const struct brain_clock *clock,
    const char *token_path, struct truth **ret_truth)
{
    struct truth *truth = mem_alloc_zero(1, sizeof *truth);
    if (!truth)
        return ERR_NO_MEMORY;
    *truth = (struct truth){.client = client, .city = city, .clock = clock, .token_path = token_path};
    (void)snprintf(truth->url, sizeof truth->url, "%s/hub/v1/publish/%s/world/truth", brain, city->name);
    buf_init(&truth->body, BODY_MAX);
    *ret_truth = truth;
    return ERR_OK;
}

void truth_destroy(struct truth *truth)
{
    if (!truth)
        return;
    buf_finish(&truth->body);
    mem_free(truth);
}
