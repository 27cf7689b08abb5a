/* The rules of the usual day, as an index object's file has them under `usual:`; see usual.h. */
#include "scene/count/usual.h"

#include <math.h>
#include <string.h>

static const char *const weekday_names[] = {"mon", "tue", "wed", "thu", "fri", "sat", "sun"};
#define N_WEEKDAYS 7
#define ALL_WEEKDAYS 0x7f

struct reading {
    struct count_usual_rules *rules;
    struct diag_list *diags;
    enum err err; /* the first */
};

static void fail_with(struct reading *r, enum err err)
{
    r->err = r->err != ERR_OK ? r->err : err;
}

static void read_weekdays(struct reading *r, struct yaml_node item, size_t kind)
{
    struct yaml_node list = yaml_get(item, "weekdays");
    if (yaml_is_none(list))
        return;
    if (yaml_kind(list) != YAML_LIST) {
        fail_with(r, yaml_error(list, r->diags, ERR_SYNTAX, "weekdays is a list; write weekdays: [mon, tue]"));
        return;
    }
    for (size_t i = 0; i < yaml_n_items(list); i++) {
        struct yaml_node node = yaml_item(list, i);
        size_t day = 0;
        while (day < N_WEEKDAYS && !str_equal_c(yaml_text(node), weekday_names[day]))
            day++;
        if (day == N_WEEKDAYS) {
            fail_with(r, yaml_error(node, r->diags, ERR_SYNTAX,
                             "\"" STR_FORMAT "\" is no weekday; write mon, tue, wed, thu, fri, sat or sun", STR_ARG(yaml_text(node))));
            continue;
        }
        for (size_t k = 0; k <= kind; k++)
            if (r->rules->kinds[k].weekdays >> day & 1)
                fail_with(r, yaml_error(node, r->diags, ERR_EXISTS, "%s is a day of \"" STR_FORMAT "\" already; take one out",
                                 weekday_names[day], STR_ARG(r->rules->kinds[k].name)));
        r->rules->kinds[kind].weekdays |= (uint8_t)(1u << day);
    }
}

/* "2027-05-01"; its number since 1970. */
static bool date_of(struct str text, int64_t *ret_day)
{
    struct wall_time wall;
    char whole[32];
    if (text.len != 10 || str_to_c(text, whole, sizeof(whole)) != ERR_OK)
        return false;
    memcpy(whole + 10, "T00:00:00Z", 11);
    if (wall_parse_rfc3339(str_from_c(whole), &wall) != ERR_OK)
        return false;
    *ret_day = wall_day_number(wall, (struct time_zone){0});
    return true;
}

static void read_dates(struct reading *r, struct yaml_node item, size_t kind)
{
    struct count_usual_rules *rules = r->rules;
    struct yaml_node list = yaml_get(item, "dates");
    if (yaml_is_none(list))
        return;
    if (yaml_kind(list) != YAML_LIST) {
        fail_with(r, yaml_error(list, r->diags, ERR_SYNTAX, "dates is a list; write dates: [2027-05-01]"));
        return;
    }
    for (size_t i = 0; i < yaml_n_items(list); i++) {
        struct yaml_node node = yaml_item(list, i);
        int64_t day;
        if (!date_of(yaml_text(node), &day)) {
            fail_with(r,
                yaml_error(node, r->diags, ERR_SYNTAX, "\"" STR_FORMAT "\" is no date; write it as 2027-05-01", STR_ARG(yaml_text(node))));
            continue;
        }
        for (size_t k = 0; k < rules->n_dates; k++)
            if (rules->dates[k].day == day)
                fail_with(r, yaml_error(node, r->diags, ERR_EXISTS, STR_FORMAT " is there twice; take one out", STR_ARG(yaml_text(node))));
        if (rules->n_dates == COUNT_USUAL_DATES_MAX) {
            fail_with(r, yaml_error(node, r->diags, ERR_FULL, "more than %d dates; take out those that are past", COUNT_USUAL_DATES_MAX));
            return;
        }
        rules->dates[rules->n_dates++] = (struct count_usual_date){day, (uint8_t)kind};
    }
}

static void read_kinds(struct reading *r, struct yaml_node usual)
{
    static const char *const keys[] = {"day", "title", "weekdays", "dates", NULL}, *const words[] = {"zh", "en", NULL};
    struct count_usual_rules *rules = r->rules;
    struct yaml_node list = yaml_get(usual, "days");
    size_t n = yaml_kind(list) == YAML_LIST ? yaml_n_items(list) : 0;
    uint8_t all = 0;
    if (n < 1 || n > COUNT_DAY_KINDS_MAX) {
        fail_with(r, yaml_error(yaml_is_none(list) ? usual : list, r->diags, ERR_RANGE,
                         "days needs a list of 1 to %d kinds of day; it has %zu", COUNT_DAY_KINDS_MAX, n));
        return;
    }
    for (size_t i = 0; i < n; i++) {
        struct yaml_node item = yaml_item(list, i), title = yaml_get(item, "title");
        struct count_day_kind *kind = &rules->kinds[i];
        fail_with(r, yaml_check_keys(item, keys, r->diags));
        fail_with(r, yaml_get_str(item, "day", true, r->diags, &kind->name));
        if (yaml_is_none(title))
            fail_with(r, yaml_error(item, r->diags, ERR_SYNTAX, "title needs words in both languages; write title: {zh: …, en: …}"));
        else
            fail_with(r, yaml_check_keys(title, words, r->diags));
        fail_with(r, yaml_get_str(title, "zh", !yaml_is_none(title), r->diags, &kind->title_zh));
        fail_with(r, yaml_get_str(title, "en", !yaml_is_none(title), r->diags, &kind->title_en));
        read_weekdays(r, item, i);
        read_dates(r, item, i);
        all |= kind->weekdays;
    }
    rules->n_kinds = n;
    for (size_t day = 0; day < N_WEEKDAYS && all != ALL_WEEKDAYS && r->err == ERR_OK; day++)
        if (!(all >> day & 1))
            fail_with(r, yaml_error(list, r->diags, ERR_NOT_FOUND, "%s belongs to no kind of day; add it to the weekdays of one",
                             weekday_names[day]));
}

enum err count_usual_read(struct yaml_node node, struct diag_list *diags, struct count_usual_rules *ret_rules)
{
    static const char *const keys[] = {"days", "least_days", "begin", "end", "least_spread", "lasts", "alerts_at", NULL};
    struct count_usual_rules rules = {.n_kinds = 0};
    struct reading r = {&rules, diags, ERR_OK};
    fail_with(&r, yaml_check_keys(node, keys, diags));
    fail_with(&r, yaml_get_i64(node, "least_days", true, diags, 3, COUNT_USUAL_DAYS, &rules.least_days));
    fail_with(&r, yaml_get_real(node, "begin", true, diags, &rules.begin));
    fail_with(&r, yaml_get_real(node, "end", true, diags, &rules.end));
    fail_with(&r, yaml_get_real(node, "least_spread", true, diags, &rules.least_spread));
    fail_with(&r, yaml_get_duration_ms(node, "lasts", true, diags, &rules.lasts_ms));
    fail_with(&r, yaml_get_str(node, "alerts_at", true, diags, &rules.alerts_at));
    if (r.err == ERR_OK && !(rules.end > 0 && rules.begin > rules.end && rules.begin <= 100))
        fail_with(&r, yaml_error(yaml_get(node, "begin"), diags, ERR_RANGE,
                          "begin is %g and end %g spreads; what has begun must end nearer to the usual: 100 >= begin > end > 0",
                          rules.begin, rules.end));
    if (r.err == ERR_OK && !(rules.least_spread > 0 && rules.least_spread <= 1))
        fail_with(&r,
            yaml_error(yaml_get(node, "least_spread"), diags, ERR_RANGE, "least_spread is a share of the median, above 0 and at most 1"));
    if (r.err == ERR_OK && (rules.lasts_ms < 60000 || rules.lasts_ms > 4 * 3600000))
        fail_with(&r, yaml_error(yaml_get(node, "lasts"), diags, ERR_RANGE, "lasts must be from 1min to 4h"));
    read_kinds(&r, node);
    if (r.err == ERR_OK)
        *ret_rules = rules;
    return r.err;
}
