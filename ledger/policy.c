/*
 * The policy file. See ledger/policy.h.
 */
#include "ledger/policy.h"

#include "base/file.h"
#include "base/mem.h"

#include <inttypes.h>
#include <string.h>

#define SPLIT_MAX 20 /* witnesses of which every set is tried: a million */

struct group {
    struct str name;
    uint32_t threshold;
    uint32_t witnesses, groups; /* sets; groups only of those before */
};

struct policy {
    char *text; /* owned; what follows borrows from it */
    size_t n_logs, n_witnesses, n_groups;
    struct note_verifier logs[POLICY_LOGS_MAX];
    struct policy_witness witnesses[POLICY_WITNESSES_MAX];
    struct group groups[POLICY_GROUPS_MAX];
    uint32_t used_witnesses, used_groups; /* members of some group; nobody counts twice */
    bool has_quorum, is_none;
    struct group quorum; /* of one member */
};

/* ---- words ---- */

struct line {
    struct str rest;
    const char *file;
    int number;
    struct diag *diag;
};

#define TELL(line_, err_, ...) diag_set((line_)->diag, err_, (line_)->file, (line_)->number, __VA_ARGS__)

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

/* The next word of the line; empty at its end. */
static struct str next_word(struct line *line)
{
    struct str s = line->rest;
    size_t from = 0;
    while (from < s.len && is_blank(s.ptr[from]))
        from++;
    size_t to = from;
    while (to < s.len && !is_blank(s.ptr[to]))
        to++;
    line->rest = str_slice(s, to, s.len);
    return str_slice(s, from, to - from);
}

static enum err expect_end(struct line *line)
{
    struct str word = next_word(line);
    return word.len == 0 ? ERR_OK : TELL(line, ERR_SYNTAX, "\"" STR_FORMAT "\" is one word too many", STR_ARG(word));
}

/* ---- names ---- */

static int find_witness(const struct policy *policy, struct str name)
{
    for (size_t i = 0; i < policy->n_witnesses; i++)
        if (str_equal(policy->witnesses[i].name, name))
            return (int)i;
    return -1;
}

static int find_group(const struct policy *policy, struct str name)
{
    for (size_t i = 0; i < policy->n_groups; i++)
        if (str_equal(policy->groups[i].name, name))
            return (int)i;
    return -1;
}

static enum err check_new_name(const struct policy *policy, struct line *line, struct str name)
{
    if (name.len == 0)
        return TELL(line, ERR_SYNTAX, "a name is missing");
    if (str_equal_c(name, "none"))
        return TELL(line, ERR_SYNTAX, "\"none\" has a meaning of its own and can be no name");
    if (find_witness(policy, name) >= 0 || find_group(policy, name) >= 0)
        return TELL(line, ERR_EXISTS, "the name \"" STR_FORMAT "\" is given twice", STR_ARG(name));
    return ERR_OK;
}

/* ---- lines ---- */

static enum err tell_key(struct line *line, enum err err, const struct diag *cause)
{
    return err == ERR_NO_MEMORY ? err : TELL(line, err, "%s", cause->text);
}

static enum err read_log(struct policy *policy, struct line *line)
{
    struct diag cause = {""};
    struct note_verifier key;
    if (policy->n_logs == POLICY_LOGS_MAX)
        return TELL(line, ERR_FULL, "a policy has at most %d logs", POLICY_LOGS_MAX);
    enum err err = note_verifier_parse(next_word(line), &key, &cause);
    if (err)
        return tell_key(line, err, &cause);
    next_word(line); /* the log's URL is of no use here */
    for (size_t i = 0; i < policy->n_logs; i++)
        if (memcmp(policy->logs[i].key, key.key, sizeof key.key) == 0)
            return TELL(line, ERR_EXISTS, "the log's key is given twice");
    policy->logs[policy->n_logs++] = key;
    return expect_end(line);
}

static enum err read_witness(struct policy *policy, struct line *line)
{
    struct diag cause = {""};
    struct policy_witness witness = {.name = next_word(line)};
    enum err err = check_new_name(policy, line, witness.name);
    if (err)
        return err;
    if (policy->n_witnesses == POLICY_WITNESSES_MAX)
        return TELL(line, ERR_FULL, "a policy has at most %d witnesses", POLICY_WITNESSES_MAX);
    err = note_witness_parse(next_word(line), &witness.key, &cause);
    if (err)
        return tell_key(line, err, &cause);
    for (size_t i = 0; i < policy->n_witnesses; i++)
        if (memcmp(policy->witnesses[i].key.key, witness.key.key, sizeof witness.key.key) == 0)
            return TELL(
                line, ERR_EXISTS, "the key is that of \"" STR_FORMAT "\", too; it would count twice", STR_ARG(policy->witnesses[i].name));
    witness.url = next_word(line);
    if (witness.url.len > 0 && !str_starts_with(witness.url, STR("http://")) && !str_starts_with(witness.url, STR("https://")))
        return TELL(line, ERR_SYNTAX, "\"" STR_FORMAT "\" is no address of http or https", STR_ARG(witness.url));
    while (str_ends_with(witness.url, STR("/")))
        witness.url.len--;
    policy->witnesses[policy->n_witnesses++] = witness;
    return expect_end(line);
}

/* A name on the right side: in exactly one group, so that a witness counts once. */
static enum err add_member(struct policy *policy, struct line *line, struct str name, struct group *group)
{
    int witness = find_witness(policy, name), other = find_group(policy, name);
    if (witness < 0 && other < 0)
        return TELL(line, ERR_NOT_FOUND, "\"" STR_FORMAT "\" is no witness or group of a line before this one", STR_ARG(name));
    uint32_t *set = witness >= 0 ? &group->witnesses : &group->groups;
    uint32_t *used = witness >= 0 ? &policy->used_witnesses : &policy->used_groups;
    uint32_t bit = (uint32_t)1 << (witness >= 0 ? witness : other);
    if (*used & bit)
        return TELL(line, ERR_EXISTS, "\"" STR_FORMAT "\" is in a group already; it would count twice", STR_ARG(name));
    *set |= bit;
    *used |= bit;
    return ERR_OK;
}

static enum err read_group(struct policy *policy, struct line *line)
{
    struct group group = {.name = next_word(line)};
    uint64_t threshold = 0, n = 0;
    enum err err = check_new_name(policy, line, group.name);
    if (!err && policy->n_groups == POLICY_GROUPS_MAX)
        err = TELL(line, ERR_FULL, "a policy has at most %d groups", POLICY_GROUPS_MAX);
    struct str how = next_word(line), name;
    bool is_all = str_equal_c(how, "all"), is_any = str_equal_c(how, "any");
    if (!err && !is_all && !is_any && note_parse_number(how, &threshold))
        err = TELL(line, ERR_SYNTAX, "after a group's name stands \"all\", \"any\" or a number, not \"" STR_FORMAT "\"", STR_ARG(how));
    for (; !err && (name = next_word(line)).len > 0; n++)
        err = add_member(policy, line, name, &group);
    if (err)
        return err;
    threshold = is_all ? n : is_any ? 1 : threshold;
    if (threshold < 1 || threshold > n)
        return TELL(line, ERR_RANGE,
            "%" PRIu64 " of %" PRIu64 " members are never a group's word; give a number from 1 to that of its members", threshold, n);
    group.threshold = (uint32_t)threshold;
    policy->groups[policy->n_groups++] = group;
    return ERR_OK;
}

static enum err read_quorum(struct policy *policy, struct line *line)
{
    struct str name = next_word(line);
    if (policy->has_quorum)
        return TELL(line, ERR_EXISTS, "a policy has one quorum line");
    policy->has_quorum = true;
    if (str_equal_c(name, "none")) {
        policy->is_none = true;
        return expect_end(line);
    }
    int witness = find_witness(policy, name), group = find_group(policy, name);
    if (witness < 0 && group < 0)
        return TELL(line, ERR_NOT_FOUND, "\"" STR_FORMAT "\" is no witness or group of a line before this one", STR_ARG(name));
    policy->quorum = (struct group){
        .threshold = 1, .witnesses = witness >= 0 ? (uint32_t)1 << witness : 0, .groups = witness >= 0 ? 0 : (uint32_t)1 << group};
    return expect_end(line);
}

static enum err read_line(struct policy *policy, struct line *line)
{
    static const struct {
        const char *word;
        enum err (*read)(struct policy *policy, struct line *line);
    } kinds[] = {{"log", read_log}, {"witness", read_witness}, {"group", read_group}, {"quorum", read_quorum}};
    for (size_t i = 0; i < line->rest.len; i++)
        if (((uint8_t)line->rest.ptr[i] < 0x20 && line->rest.ptr[i] != '\t') || line->rest.ptr[i] == 0x7f)
            return TELL(line, ERR_SYNTAX, "the line holds a control character");
    struct str word = next_word(line);
    if (word.len == 0 || word.ptr[0] == '#')
        return ERR_OK;
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (str_equal_c(word, kinds[i].word))
            return kinds[i].read(policy, line);
    return TELL(line, ERR_SYNTAX, "a line begins with log, witness, group or quorum, not \"" STR_FORMAT "\"", STR_ARG(word));
}

enum err policy_parse(struct str text, const char *name, struct diag *diag, struct policy **ret_policy)
{
    struct policy *policy = mem_alloc_zero(1, sizeof *policy);
    struct line line = {.file = name, .diag = diag};
    if (text.len > POLICY_FILE_MAX) {
        mem_free(policy);
        return diag_set(diag, ERR_TOO_LARGE, name, 0, "a policy has at most %u bytes", POLICY_FILE_MAX);
    }
    if (!policy || !(policy->text = mem_alloc(text.len + 1))) {
        mem_free(policy);
        return ERR_NO_MEMORY;
    }
    memcpy(policy->text, text.ptr ? text.ptr : "", text.len);
    struct str rest = {policy->text, text.len};
    enum err err = ERR_OK;
    while (!err && rest.len > 0) {
        line.number++;
        if (!note_next_line(&rest, &line.rest))
            err = TELL(&line, ERR_SYNTAX, "the last line does not end with a newline");
        else
            err = read_line(policy, &line);
    }
    if (!err && !policy->has_quorum)
        err = diag_set(diag, ERR_NOT_FOUND, name, 0, "the policy has no quorum line; write \"quorum NAME\" or \"quorum none\"");
    if (err)
        policy_destroy(policy);
    else
        *ret_policy = policy;
    return err;
}

enum err policy_load(const char *path, struct diag *diag, struct policy **ret_policy)
{
    struct buf text;
    buf_init(&text, POLICY_FILE_MAX + 1);
    enum err err = file_read(path, &text);
    if (err)
        diag_set(diag, err, path, 0, "the policy cannot be read (%s)", err_text(err));
    else
        err = policy_parse(buf_str(&text), path, diag, ret_policy);
    buf_finish(&text);
    return err;
}

void policy_destroy(struct policy *policy)
{
    if (!policy)
        return;
    mem_free(policy->text);
    mem_free(policy);
}

/* ---- asking ---- */

size_t policy_n_witnesses(const struct policy *policy)
{
    return policy->n_witnesses;
}

const struct policy_witness *policy_witness(const struct policy *policy, size_t at)
{
    return &policy->witnesses[at];
}

const struct note_verifier *policy_log(const struct policy *policy, struct str origin)
{
    for (size_t i = 0; i < policy->n_logs; i++)
        if (str_equal(policy->logs[i].name, origin))
            return &policy->logs[i];
    return NULL;
}

bool policy_has_logs(const struct policy *policy)
{
    return policy->n_logs > 0;
}

static bool is_group_met(const struct group *group, uint32_t witnesses, uint32_t groups)
{
    return (uint32_t)(__builtin_popcount(group->witnesses & witnesses) + __builtin_popcount(group->groups & groups)) >= group->threshold;
}

bool policy_is_met(const struct policy *policy, uint32_t witnesses)
{
    uint32_t groups = 0; /* those that are met; each depends on ones before it only */
    for (size_t i = 0; i < policy->n_groups; i++)
        if (is_group_met(&policy->groups[i], witnesses, groups))
            groups |= (uint32_t)1 << i;
    return policy->is_none || is_group_met(&policy->quorum, witnesses, groups);
}

bool policy_can_split(const struct policy *policy)
{
    if (policy->is_none)
        return true;
    if (policy->n_witnesses > SPLIT_MAX)
        return false;
    uint32_t all = ((uint32_t)1 << policy->n_witnesses) - 1;
    for (uint32_t set = 0; set <= all; set++) /* a larger set is no less a quorum, so the complement is the other side's best */
        if (policy_is_met(policy, set) && policy_is_met(policy, all & ~set))
            return true;
    return false;
}

enum err policy_cosigned(const struct policy *policy, struct str note, uint32_t *ret_witnesses, struct diag *diag)
{
    uint32_t witnesses = 0;
    struct str text;
    enum err err = note_text(note, &text, diag);
    for (size_t i = 0; i < policy->n_witnesses && !err; i++) {
        struct diag cause = {""};
        struct buf line;
        int64_t time_s;
        buf_init(&line, NOTE_MAX);
        err = note_open_line(note, &policy->witnesses[i].key, &text, &line, &time_s, &cause);
        if (!err)
            witnesses |= (uint32_t)1 << i;
        else if (err == ERR_NOT_FOUND)
            err = ERR_OK;
        else
            diag_set(diag, err, NULL, 0, "%s", cause.text);
        buf_finish(&line);
    }
    if (!err)
        *ret_witnesses = witnesses;
    return err;
}

static void put_missing(const struct policy *policy, uint32_t witnesses, struct buf *out)
{
    for (size_t i = 0; i < policy->n_witnesses; i++)
        if (!(witnesses & (uint32_t)1 << i)) {
            buf_append_c(out, out->len > 0 ? ", " : "");
            buf_append_str(out, policy->witnesses[i].name);
        }
}

enum err policy_check(const struct policy *policy, struct str note, struct diag *diag)
{
    uint32_t witnesses;
    enum err err = policy_cosigned(policy, note, &witnesses, diag);
    if (err || policy_is_met(policy, witnesses))
        return err;
    struct buf missing;
    buf_init(&missing, DIAG_TEXT_MAX / 2);
    put_missing(policy, witnesses, &missing);
    diag_set(diag, ERR_CRYPTO, NULL, 0,
        "%d of %zu witnesses have cosigned the checkpoint, and the policy asks for more; missing: " STR_FORMAT,
        __builtin_popcount(witnesses), policy->n_witnesses, STR_ARG(buf_str(&missing)));
    buf_finish(&missing);
    return ERR_CRYPTO;
}
