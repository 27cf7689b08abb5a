/* The table. Words in both languages stand beside each other, so that neither is forgotten; widths count Chinese characters as two. */
#include "brain/status.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define LABEL_WIDTH 14
#define NAME_WIDTH_MIN 34

/* Two literals, so that the compiler holds both against what is printed. */
#define SAY(v_, zh_, en_, ...) ((v_)->of->is_zh ? fprintf((v_)->out, zh_, __VA_ARGS__) : fprintf((v_)->out, en_, __VA_ARGS__))

struct view {
    const json_t *samples;
    const struct status_of *of;
    FILE *out;
    int name_width; /* of the three tables' first column */
};

static const char *word(const struct view *v, const char *zh, const char *en)
{
    return v->of->is_zh ? zh : en;
}

/* Columns that a terminal takes for `text`. */
static int width_of(const char *text)
{
    int width = 0;
    for (const unsigned char *c = (const unsigned char *)text; *c; c++)
        width += (*c & 0xc0) == 0x80 ? 0 : *c >= 0xe3 ? 2 : 1;
    return width;
}

static void put_left(const struct view *v, const char *text, int width)
{
    int pad = width - width_of(text);
    fprintf(v->out, "%s%*s", text, pad > 0 ? pad : 0, "");
}

static void put_right(const struct view *v, const char *text, int width)
{
    int pad = width - width_of(text);
    fprintf(v->out, "%*s%s", pad > 0 ? pad : 0, "", text);
}

/* 1234567 as 1,234,567. */
static const char *count(double number, char out[32])
{
    char plain[24];
    snprintf(plain, sizeof(plain), "%" PRIu64, number > 0 ? (uint64_t)number : 0);
    size_t len = strlen(plain), at = 0;
    for (size_t i = 0; i < len; i++) {
        if (i > 0 && (len - i) % 3 == 0)
            out[at++] = ',';
        out[at++] = plain[i];
    }
    out[at] = '\0';
    return out;
}

static const char *label_of(const json_t *sample, const char *name)
{
    const char *text = json_string_value(json_object_get(json_object_get(sample, "labels"), name));
    return text ? text : "";
}

static double value_of(const json_t *sample)
{
    return json_number_value(json_object_get(sample, "value"));
}

/* The sum of a metric's samples whose label has this value; NULL: of all. */
static double sum(const struct view *v, const char *metric, const char *label, const char *value)
{
    double total = 0;
    size_t i;
    const json_t *sample;
    json_array_foreach(json_object_get(v->samples, metric), i, sample)
    {
        if (!label || strcmp(label_of(sample, label), value) == 0)
            total += value_of(sample);
    }
    return total;
}

static void put_duration(const struct view *v, double seconds)
{
    long s = (long)seconds;
    if (s >= 86400)
        fprintf(v->out, "%ld d %ld h", s / 86400, s / 3600 % 24);
    else if (s >= 3600)
        fprintf(v->out, "%ld h %ld min", s / 3600, s / 60 % 60);
    else if (s >= 60)
        fprintf(v->out, "%ld min %ld s", s / 60, s % 60);
    else
        fprintf(v->out, "%.1f s", seconds);
}

static void begin(const struct view *v, const char *zh, const char *en)
{
    fputs("  ", v->out);
    put_left(v, word(v, zh, en), LABEL_WIDTH);
}

/* ---- the parts ---- */

static void print_head(const struct view *v, const json_t *readiness)
{
    size_t i;
    const json_t *missing;
    const json_t *info = json_array_get(json_object_get(v->samples, "citybrain_info"), 0);
    fprintf(v->out, "%s · citybrain %s · %s\n\n", word(v, v->of->title_zh, v->of->title_en), label_of(info, "version"), v->of->url);
    begin(v, "就绪", "ready");
    fputs(json_is_true(json_object_get(readiness, "ready")) ? word(v, "是", "yes") : word(v, "否", "no"), v->out);
    json_array_foreach(json_object_get(readiness, "missing"), i, missing)
    {
        fprintf(v->out, "%s%s", i ? "; " : ": ", json_string_value(missing));
    }
    fputc('\n', v->out);
    begin(v, "运行", "up");
    put_duration(v, sum(v, "citybrain_uptime_seconds", NULL, NULL));
    SAY(v, "，内存 %.0f MB，线程 %.0f，描述符 %.0f / %.0f\n", ", %.0f MB, %.0f threads, %.0f of %.0f descriptors\n",
        sum(v, "process_resident_memory_bytes", NULL, NULL) / 1e6, sum(v, "process_threads", NULL, NULL),
        sum(v, "process_open_fds", NULL, NULL), sum(v, "process_max_fds", NULL, NULL));
}

static void print_ledger(const struct view *v)
{
    char all[32], published[32];
    size_t i, n = json_array_size(json_object_get(v->samples, "citybrain_ledger_witness_cosigns"));
    const json_t *sample;
    begin(v, "账本", "ledger");
    SAY(v, "%s：%s 片叶子，%s 片在检查点下（", "%s: %s leaves, %s under a checkpoint of ", v->of->log,
        count(sum(v, "citybrain_ledger_leaves_total", NULL, NULL), all),
        count(sum(v, "citybrain_ledger_published_leaves", NULL, NULL), published));
    put_duration(v, sum(v, "citybrain_ledger_checkpoint_age_seconds", NULL, NULL));
    fputs(word(v, " 前）\n", " ago\n"), v->out);
    if (n == 0)
        return;
    begin(v, "见证方", "witnesses");
    SAY(v, "%zu 方，其中 %.0f 方联署%s", "%zu, of which %.0f cosign%s", n, sum(v, "citybrain_ledger_witness_cosigns", NULL, NULL),
        sum(v, "citybrain_ledger_halted", NULL, NULL) > 0 ? word(v, "，发布已停", ", publication halted") : "");
    json_array_foreach(json_object_get(v->samples, "citybrain_ledger_witness_cosigns"), i, sample)
    {
        if (value_of(sample) == 0)
            SAY(v, "；%s 不联署", "; %s does not", label_of(sample, "witness"));
    }
    fputc('\n', v->out);
}

/* One line of figures by the value of a label: "34 agreed, 2 drafted". */
static void print_states(
    const struct view *v, const char *zh, const char *en, const char *metric, const char *label, const char *const (*words)[2])
{
    bool is_first = true;
    char number[32];
    begin(v, zh, en);
    for (size_t i = 0; words[i][0]; i++) {
        double n = sum(v, metric, label, words[i][0]);
        if (n == 0)
            continue;
        fprintf(v->out, "%s%s %s", is_first ? "" : ", ", count(n, number), word(v, words[i][1], words[i][0]));
        is_first = false;
    }
    fputs(is_first ? word(v, "无\n", "none\n") : "\n", v->out);
}

/* At least as wide as the longest name, and a blank. */
static int name_width(const json_t *samples)
{
    static const char *const lists[][2] = {
        {"citybrain_department_asked_total", "department"}, {"citybrain_bus_subscribers", "subject"}, {"citybrain_queue_length", "queue"}};
    int width = NAME_WIDTH_MIN;
    size_t i;
    const json_t *sample;
    for (size_t l = 0; l < sizeof(lists) / sizeof(lists[0]); l++)
        json_array_foreach(json_object_get(samples, lists[l][0]), i, sample)
        {
            int other = l == 2 ? width_of(label_of(sample, "of")) + 3 : 0; /* "queue (of)" */
            int wide = width_of(label_of(sample, lists[l][1])) + other + 1;
            width = wide > width ? wide : width;
        }
    return width;
}

static void print_line(const struct view *v, const char *name, const char *const *cells, size_t n)
{
    fputs("  ", v->out);
    put_left(v, name, v->name_width);
    for (size_t i = 0; i < n; i++)
        put_right(v, cells[i], 13);
    fputc('\n', v->out);
}

static void print_departments(const struct view *v)
{
    size_t i;
    const json_t *sample;
    const char *const head[] = {word(v, "询问", "asked"), word(v, "失败", "failed"), word(v, "等待", "waiting"), word(v, "平均", "mean")};
    fputc('\n', v->out);
    print_line(v, word(v, "部门系统", "department"), head, 4);
    json_array_foreach(json_object_get(v->samples, "citybrain_department_asked_total"), i, sample)
    {
        const char *name = label_of(sample, "department");
        char asked[32], failed[32], pending[32], mean[32] = "–";
        double n = sum(v, "citybrain_department_seconds_count", "department", name);
        if (n > 0)
            snprintf(mean, sizeof(mean), "%.2f ms", sum(v, "citybrain_department_seconds_sum", "department", name) / n * 1e3);
        print_line(v, name,
            (const char *const[]){count(value_of(sample), asked),
                count(sum(v, "citybrain_department_failed_total", "department", name), failed),
                count(sum(v, "citybrain_department_pending", "department", name), pending), mean},
            4);
    }
}

static void print_streams(const struct view *v)
{
    size_t i;
    const json_t *sample;
    const char *const head[] = {word(v, "订阅", "subscribers"), word(v, "行", "rows"), word(v, "丢弃批", "dropped")};
    fputc('\n', v->out);
    print_line(v, word(v, "数据流", "stream"), head, 3);
    json_array_foreach(json_object_get(v->samples, "citybrain_bus_subscribers"), i, sample)
    {
        const char *name = label_of(sample, "subject");
        char subscribers[32], rows[32], dropped[32];
        print_line(v, name,
            (const char *const[]){count(value_of(sample), subscribers), count(sum(v, "citybrain_bus_rows_total", "subject", name), rows),
                count(sum(v, "citybrain_bus_dropped_total", "subject", name), dropped)},
            3);
    }
}

static double of_queue(const struct view *v, const char *metric, const json_t *queue)
{
    size_t i;
    const json_t *sample;
    json_array_foreach(json_object_get(v->samples, metric), i, sample)
    {
        if (json_equal(json_object_get(sample, "labels"), json_object_get(queue, "labels")))
            return value_of(sample);
    }
    return 0;
}

/* Those that hold something, or have refused. */
static void print_queues(const struct view *v)
{
    size_t i, n = 0;
    const json_t *sample;
    const char *const head[] = {word(v, "现有", "holds"), word(v, "上限", "limit"), word(v, "拒绝", "refused")};
    fputc('\n', v->out);
    print_line(v, word(v, "队列（有内容或曾拒绝）", "queue (not empty, or has refused)"), head, 3);
    json_array_foreach(json_object_get(v->samples, "citybrain_queue_length"), i, sample)
    {
        double refused = of_queue(v, "citybrain_queue_refused_total", sample);
        char name[512], length[32], limit[32], text[32];
        if (value_of(sample) == 0 && refused == 0)
            continue;
        snprintf(name, sizeof(name), "%s (%s)", label_of(sample, "queue"), label_of(sample, "of"));
        print_line(v, name,
            (const char *const[]){
                count(value_of(sample), length), count(of_queue(v, "citybrain_queue_limit", sample), limit), count(refused, text)},
            3);
        n++;
    }
    if (n == 0)
        fprintf(v->out, "  %s\n", word(v, "全空", "all are empty"));
}

void status_print(const json_t *samples, const json_t *readiness, const struct status_of *of, FILE *out)
{
    static const char *const states[][2] = {
        {"agreed", "生效"}, {"suspended", "中止"}, {"offered", "待签"}, {"drafted", "草案"}, {"ended", "终止"}, {NULL, NULL}};
    static const char *const healths[][2] = {{"fresh", "正常"}, {"stale", "陈旧"}, {"down", "中断"}, {NULL, NULL}};
    static const char *const uses[][2] = {{"call", "调用"}, {"query", "查询"}, {"subscribe", "订阅"}, {"act", "指令"}, {NULL, NULL}};
    const struct view v = {.samples = samples, .of = of, .out = out, .name_width = name_width(samples)};
    print_head(&v, readiness);
    print_ledger(&v);
    print_states(&v, "契约", "contracts", "citybrain_hub_contracts", "state", states);
    print_states(&v, "来源", "sources", "citybrain_hub_sources", "health", healths);
    print_states(&v, "使用", "uses", "citybrain_hub_uses_total", "use", uses);
    print_departments(&v);
    print_streams(&v);
    print_queues(&v);
}
