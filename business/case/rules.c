/* cases.yaml read; the ladder of posts. */
#include "business/case/rules.h"

#include "base/mem.h"
#include "hub/alert.h"
#include "hub/need.h"
#include "hub/registry.h"

#define ARENA_MAX (16u << 20)

struct case_rules {
    struct yaml *yaml; /* owns the text */
    struct arena arena;
    struct str party, purpose, source;
    struct str alerts[CASE_STREAMS_MAX];
    size_t n_alerts;
    struct case_kind *kinds;
    size_t n_kinds;
    struct case_post *posts;
    size_t n_posts;
    size_t other; /* the kind for those that nobody declared */
};

static enum err keep_first(enum err err, enum err one)
{
    return err ? err : one;
}

/* ---- reading ---- */

static enum err read_kind(struct case_rules *rules, struct yaml_node node, struct diag_list *diags)
{
    static const char *const keys[] = {
        "kind", "title", "to", "close", "deadline", "measure_within", "reopen_within", "once", "group", "after", "keep", NULL};
    static const char *const tos[] = {"area", "party", NULL}, *const closes[] = {"result", "measured", NULL};
    struct case_kind *kind = &rules->kinds[rules->n_kinds];
    size_t to = 0, close = 0;
    if (yaml_kind(node) != YAML_MAP)
        return yaml_error(node, diags, ERR_SYNTAX, "a kind of case is a map: {kind: …, title: {zh: …, en: …}, deadline: …, close: …}");
    enum err err = yaml_check_keys(node, keys, diags);
    err = keep_first(err, yaml_get_str(node, "kind", true, diags, &kind->name));
    struct yaml_node title = yaml_get(node, "title");
    if (yaml_is_none(title) || yaml_kind(title) != YAML_MAP)
        err = keep_first(err, yaml_error(node, diags, ERR_NOT_FOUND, "the kind has no title; add title: {zh: …, en: …}"));
    else {
        err = keep_first(err, yaml_get_str(title, "zh", true, diags, &kind->title_zh));
        err = keep_first(err, yaml_get_str(title, "en", true, diags, &kind->title_en));
    }
    err = keep_first(err, yaml_get_duration_ms(node, "deadline", true, diags, &kind->deadline_ms));
    err = keep_first(err, yaml_get_choice(node, "close", true, diags, closes, &close));
    kind->is_measured = close == 1;
    enum err optional[] = {yaml_get_choice(node, "to", false, diags, tos, &to),
        yaml_get_duration_ms(node, "measure_within", kind->is_measured, diags, &kind->measure_within_ms),
        yaml_get_duration_ms(node, "reopen_within", false, diags, &kind->reopen_within_ms),
        yaml_get_duration_ms(node, "keep", false, diags, &kind->keep_ms),
        yaml_get_duration_ms(node, "after", false, diags, &kind->after_ms), yaml_get_bool(node, "once", false, diags, &kind->is_once),
        yaml_get_bool(node, "group", false, diags, &kind->is_grouped)};
    for (size_t i = 0; i < sizeof optional / sizeof *optional; i++)
        if (optional[i] != ERR_NOT_FOUND || (i == 1 && kind->is_measured))
            err = keep_first(err, optional[i]);
    kind->to_party = to == 1;
    if (!err && kind->keep_ms > 0 && kind->keep_ms <= kind->reopen_within_ms)
        err =
            yaml_error(node, diags, ERR_RANGE, "a case is kept for longer than its alarm may open it again; mend keep: or reopen_within:");
    for (size_t i = 0; i < rules->n_kinds && !err; i++)
        if (str_equal(rules->kinds[i].name, kind->name))
            err = yaml_error(node, diags, ERR_EXISTS, "kind \"" STR_FORMAT "\" is there twice; leave out one", STR_ARG(kind->name));
    if (!err)
        rules->n_kinds++;
    return err;
}

static enum err read_kinds(struct case_rules *rules, struct yaml_node root, struct diag_list *diags)
{
    struct yaml_node list = yaml_get(root, "kinds");
    size_t n = yaml_is_none(list) || yaml_kind(list) != YAML_LIST ? 0 : yaml_n_items(list);
    if (n > CASE_KINDS_MAX)
        return yaml_error(list, diags, ERR_TOO_LARGE, "%zu kinds; %d are allowed", n, CASE_KINDS_MAX);
    rules->kinds = arena_alloc_zero(&rules->arena, n + 1, sizeof *rules->kinds);
    if (!rules->kinds)
        return ERR_NO_MEMORY;
    int64_t keep_ms = 0;
    enum err err = yaml_get_duration_ms(root, "keep", false, diags, &keep_ms);
    err = err == ERR_NOT_FOUND ? ERR_OK : err;
    for (size_t i = 0; i < n; i++)
        rules->kinds[i].keep_ms = keep_ms; /* of a kind that says nothing else */
    for (size_t i = 0; i < n; i++)
        err = keep_first(err, read_kind(rules, yaml_item(list, i), diags));
    for (rules->other = 0; rules->other < rules->n_kinds; rules->other++)
        if (str_equal_c(rules->kinds[rules->other].name, "other"))
            return err;
    return keep_first(err, yaml_error(yaml_is_none(list) ? root : list, diags, ERR_NOT_FOUND,
                               "there is no kind \"other\", under which alerts of an undeclared kind go; add one"));
}

static enum err read_post(struct case_rules *rules, const struct hub *hub, struct yaml_node node, bool of_party, struct diag_list *diags)
{
    static const char *const area_keys[] = {"area", "post", "kind", NULL}, *const party_keys[] = {"party", "post", "area", "kind", NULL};
    struct case_post *post = &rules->posts[rules->n_posts];
    if (yaml_kind(node) != YAML_MAP)
        return yaml_error(node, diags, ERR_SYNTAX, "write a map: {%s: …, post: …}", of_party ? "party" : "area");
    enum err err = yaml_check_keys(node, of_party ? party_keys : area_keys, diags), kind;
    err = keep_first(err, yaml_get_str(node, "post", true, diags, &post->post));
    err = keep_first(err, yaml_get_str(node, "area", true, diags, &post->area));
    if (of_party)
        err = keep_first(err, yaml_get_str(node, "party", true, diags, &post->party));
    kind = yaml_get_str(node, "kind", false, diags, &post->kind);
    err = keep_first(err, kind == ERR_NOT_FOUND ? ERR_OK : kind);
    if (err)
        return err;
    if (hub && area_find(hub_areas(hub), post->area) < 0)
        err = yaml_error(
            yaml_get(node, "area"), diags, ERR_NOT_FOUND, "there is no area \"" STR_FORMAT "\"; see areas.yaml", STR_ARG(post->area));
    struct str names[] = {post->post, of_party ? post->party : post->post};
    for (size_t i = 0; i < 2 && hub && !err; i++)
        if (!hub_party_find(hub, names[i]))
            err = yaml_error(
                node, diags, ERR_NOT_FOUND, "there is no party \"" STR_FORMAT "\"; declare it in parties.yaml", STR_ARG(names[i]));
    if (!err)
        rules->n_posts++;
    return err;
}

static enum err read_posts(struct case_rules *rules, const struct hub *hub, struct yaml_node root, struct diag_list *diags)
{
    struct yaml_node lists[] = {yaml_get(root, "posts"), yaml_get(root, "parties")};
    size_t n[2], n_areas = 0;
    for (int k = 0; k < 2; k++)
        n[k] = yaml_is_none(lists[k]) || yaml_kind(lists[k]) != YAML_LIST ? 0 : yaml_n_items(lists[k]);
    if (n[0] + n[1] > CASE_POSTS_MAX)
        return yaml_error(root, diags, ERR_TOO_LARGE, "%zu posts; %d are allowed", n[0] + n[1], CASE_POSTS_MAX);
    rules->posts = arena_alloc_zero(&rules->arena, n[0] + n[1] + 1, sizeof *rules->posts);
    if (!rules->posts)
        return ERR_NO_MEMORY;
    enum err err = ERR_OK;
    for (int k = 0; k < 2; k++)
        for (size_t i = 0; i < n[k]; i++)
            err = keep_first(err, read_post(rules, hub, yaml_item(lists[k], i), k == 1, diags));
    /* Every alert must find somebody: the post of the city itself catches what nobody below does. */
    for (size_t i = 0; i < rules->n_posts; i++)
        if (hub && str_is_empty(rules->posts[i].party) && str_is_empty(rules->posts[i].kind) &&
            str_equal(rules->posts[i].area, area_at(hub_areas(hub), 0)->name))
            n_areas++;
    if (hub && n_areas == 0)
        err = keep_first(err,
            yaml_error(root, diags, ERR_NOT_FOUND, "nobody answers for the city as a whole; add to posts: {area: " STR_FORMAT ", post: …}",
                STR_ARG(area_at(hub_areas(hub), 0)->name)));
    return err;
}

static enum err read_needs(struct case_rules *rules, const struct hub *hub, struct yaml_node root, struct diag_list *diags)
{
    struct yaml_node list = yaml_get(root, "alerts");
    enum err err = yaml_get_str(root, "sources", false, diags, &rules->source);
    err = err == ERR_NOT_FOUND ? ERR_OK : err;
    size_t n = yaml_is_none(list) || yaml_kind(list) != YAML_LIST ? 0 : yaml_n_items(list);
    if (n == 0 || n > CASE_STREAMS_MAX)
        return yaml_error(yaml_is_none(list) ? root : list, diags, ERR_RANGE, "alerts: is a list of 1 to %d streams, as [AREA/hub/alert]",
            CASE_STREAMS_MAX);
    for (size_t i = 0; i < n; i++) {
        rules->alerts[i] = yaml_text(yaml_item(list, i));
        if (hub && !hub_resource_find(hub, rules->alerts[i]))
            err = keep_first(err,
                yaml_error(yaml_item(list, i), diags, ERR_NOT_FOUND, "there is no resource \"" STR_FORMAT "\"", STR_ARG(rules->alerts[i])));
    }
    rules->n_alerts = n;
    return err;
}

/* No longer than the contracts let alerts be kept. A contract that is not there at all is told where the stream is subscribed. */
static enum err check_keeps(const struct case_rules *rules, const struct hub *hub, struct yaml_node root, struct diag_list *diags)
{
    struct yaml_node list = yaml_get(root, "kinds");
    enum err err = ERR_OK;
    for (size_t i = 0; i < rules->n_kinds; i++)
        for (size_t k = 0; k < rules->n_alerts; k++) {
            struct yaml_node kind = yaml_item(list, i), keep = yaml_get(kind, "keep");
            struct hub_need need = {.party = rules->party,
                .resource = rules->alerts[k],
                .purpose = rules->purpose,
                .kind = HUB_STREAM,
                .fields = hub_alert_fields,
                .n_fields = HUB_ALERT_N_FIELDS};
            if (hub_need_check(hub, &need, kind, NULL) != ERR_OK)
                continue;
            need.keep_ms = rules->kinds[i].keep_ms;
            err = keep_first(err, hub_need_check(hub, &need, yaml_is_none(keep) ? kind : keep, diags));
        }
    return err;
}

enum err case_rules_load(const char *path, const struct hub *hub, struct diag_list *diags, struct case_rules **ret_rules)
{
    static const char *const keys[] = {"party", "purpose", "alerts", "sources", "posts", "parties", "kinds", "keep", NULL};
    struct case_rules *rules = mem_alloc_zero(1, sizeof *rules);
    if (!rules)
        return ERR_NO_MEMORY;
    arena_init(&rules->arena, ARENA_MAX);
    enum err err = yaml_load_file(path, diags, &rules->yaml);
    if (err)
        goto done;
    struct yaml_node root = yaml_root(rules->yaml);
    if (yaml_is_none(root) || yaml_kind(root) != YAML_MAP) {
        err = diag_add(diags, ERR_SYNTAX, path, 1, "the file is not a map of keys; see docs/case.md for its form");
        goto done;
    }
    err = yaml_check_keys(root, keys, diags);
    err = keep_first(err, yaml_get_str(root, "party", true, diags, &rules->party));
    err = keep_first(err, yaml_get_str(root, "purpose", true, diags, &rules->purpose));
    err = keep_first(err, read_needs(rules, hub, root, diags));
    err = keep_first(err, read_kinds(rules, root, diags));
    err = keep_first(err, read_posts(rules, hub, root, diags));
    if (!err && hub)
        err = check_keeps(rules, hub, root, diags);
done:
    if (err)
        case_rules_destroy(rules);
    else
        *ret_rules = rules;
    return err;
}

void case_rules_destroy(struct case_rules *rules)
{
    if (!rules)
        return;
    arena_finish(&rules->arena);
    yaml_destroy(rules->yaml);
    mem_free(rules);
}

/* ---- asking ---- */

struct str case_rules_party(const struct case_rules *rules)
{
    return rules->party;
}

struct str case_rules_purpose(const struct case_rules *rules)
{
    return rules->purpose;
}

struct str case_rules_source(const struct case_rules *rules)
{
    return rules->source;
}

size_t case_rules_n_alerts(const struct case_rules *rules)
{
    return rules->n_alerts;
}

struct str case_rules_alert(const struct case_rules *rules, size_t at)
{
    return rules->alerts[at];
}

const struct case_kind *case_kind_find(const struct case_rules *rules, struct str name)
{
    for (size_t i = 0; i < rules->n_kinds; i++)
        if (str_equal(rules->kinds[i].name, name))
            return &rules->kinds[i];
    return &rules->kinds[rules->other];
}

size_t case_n_posts(const struct case_rules *rules)
{
    return rules->n_posts;
}

const struct case_post *case_post_at(const struct case_rules *rules, size_t at)
{
    return &rules->posts[at];
}

const struct case_post *case_post_find(const struct case_rules *rules, struct str post)
{
    for (size_t i = 0; i < rules->n_posts; i++)
        if (str_equal(rules->posts[i].post, post))
            return &rules->posts[i];
    return NULL;
}

/* The post of exactly this area, one for the kind before one for all. */
static const struct case_post *at_area(const struct case_rules *rules, struct str kind, struct str area)
{
    const struct case_post *general = NULL;
    for (size_t i = 0; i < rules->n_posts; i++) {
        const struct case_post *post = &rules->posts[i];
        if (!str_is_empty(post->party) || !str_equal(post->area, area))
            continue;
        if (str_equal(post->kind, kind))
            return post;
        if (str_is_empty(post->kind) && !general)
            general = post;
    }
    return general;
}

/* The same for the area or the nearest one above; NULL: nobody. */
static const struct case_post *at_or_above(const struct case_rules *rules, struct str kind, struct str area)
{
    struct str head, tail;
    const struct case_post *post = at_area(rules, kind, area);
    while (!post && str_cut_last(area, '.', &head, &tail)) {
        area = head;
        post = at_area(rules, kind, area);
    }
    return post;
}

static const struct case_post *of_party(const struct case_rules *rules, struct str kind, struct str party)
{
    const struct case_post *general = NULL;
    for (size_t i = 0; i < rules->n_posts && !str_is_empty(party); i++) {
        const struct case_post *post = &rules->posts[i];
        if (!str_equal(post->party, party))
            continue;
        if (str_equal(post->kind, kind))
            return post;
        if (str_is_empty(post->kind) && !general)
            general = post;
    }
    return general;
}

const struct case_post *case_owner(const struct case_rules *rules, struct str kind, struct str area, struct str party)
{
    const struct case_post *post = case_kind_find(rules, kind)->to_party ? of_party(rules, kind, party) : NULL;
    if (!post)
        post = at_or_above(rules, kind, area);
    for (size_t i = 0; i < rules->n_posts && !post; i++) /* an area of nowhere: the city's post, which the loading has seen to */
        if (str_is_empty(rules->posts[i].party) && str_is_empty(rules->posts[i].kind))
            post = &rules->posts[i];
    return post ? post : &rules->posts[0];
}

/* Of the posts at `level` the one that stands above `owner` there: the kind's own before the general one. */
static const struct case_post *above_at(const struct case_rules *rules, struct str kind, struct str level, struct str owner)
{
    const struct case_post *special = at_area(rules, kind, level), *general = at_area(rules, STR("*"), level);
    if (special && str_equal(special->post, owner))
        return general && !str_equal(general->post, owner) ? general : NULL;
    if (general && str_equal(general->post, owner))
        return NULL;
    return special ? special : general;
}

const struct case_post *case_above(const struct case_rules *rules, struct str kind, struct str owner, struct str owner_area)
{
    struct str head, tail, level = owner_area;
    const struct case_post *post = above_at(rules, kind, level, owner);
    while (!post && str_cut_last(level, '.', &head, &tail)) {
        level = head;
        post = above_at(rules, kind, level, owner);
    }
    return post;
}
