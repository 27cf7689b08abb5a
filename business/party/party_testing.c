/* A small city for the tests: two areas, two programs, two people. */
#include "business/party/party_testing.h"

#include "base/mem.h"
#include "base/test.h"

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char areas_yaml[] =
    "areas:\n  - {name: h, title: {zh: 市, en: city}, level: city, outline: [[120.0, 30.0], [120.4, 30.0], [120.4, 30.4]]}\n"
    "  - {name: h.x, title: {zh: 区, en: district}, level: district, outline: [[120.0, 30.0], [120.2, 30.0], [120.2, 30.2]]}\n";
static const char parties_yaml[] =
    "parties:\n  - {name: h/world, title: {zh: 世界, en: World}, kind: program, token: demo}\n"
    "  - {name: h.x/sensor, title: {zh: 感, en: Sensor}, kind: program, token: demo}\n"
    "  - {name: h/monitor, title: {zh: 监, en: Monitor}, kind: program, token: file, roles: [operate]}\n"
    "  - {name: h/post.mayor, title: {zh: 岗, en: Post}, kind: post}\n"
    "  - {name: h.x/post.clerk, title: {zh: 岗, en: Post}, kind: post}\n"
    "people:\n  - {name: mayor, title: {zh: 市长, en: Mayor}, post: h/post.mayor, for: h/world, roles: [manage], area: h, password: demo}\n"
    "  - {name: clerk, title: {zh: 员, en: Clerk}, post: h.x/post.clerk, area: h.x}\n";

void party_fixture_write(const char *path, const char *text)
{
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
}

void party_fixture_set_up(struct party_fixture *f)
{
    struct diag_list *diags = mem_alloc_zero(1, sizeof(*diags));
    *f = (struct party_fixture){.dir = "/tmp/party-test-XXXXXX"};
    assert_non_null(mkdtemp(f->dir));
    snprintf(f->areas_path, sizeof(f->areas_path), "%s/areas.yaml", f->dir);
    snprintf(f->parties_path, sizeof(f->parties_path), "%s/parties.yaml", f->dir);
    snprintf(f->store_path, sizeof(f->store_path), "%s/party.sqlite", f->dir);
    snprintf(f->tokens, sizeof(f->tokens), "%s/tokens", f->dir);
    party_fixture_write(f->areas_path, areas_yaml);
    party_fixture_write(f->parties_path, parties_yaml);
    assert_ok(area_tree_load(f->areas_path, diags, &f->areas));
    clock_fake_init(&f->clock, (struct wall_time){1795276800000});
    f->options = (struct party_options){.parties_path = f->parties_path,
        .store_path = f->store_path,
        .tokens_folder = f->tokens,
        .is_demo = true,
        .city = STR("h"),
        .zone_name = STR("UTC"),
        .areas = f->areas,
        .clock = &f->clock.clock};
    assert_ok(loop_thread_start(clock_system(), "test", &f->thread));
    mem_free(diags);
}

static int remove_one(const char *path, const struct stat *status, int kind, struct FTW *at)
{
    return remove(path);
}

void party_fixture_tear_down(struct party_fixture *f)
{
    loop_thread_stop(f->thread);
    area_tree_destroy(f->areas);
    assert_int_equal(nftw(f->dir, remove_one, 8, FTW_DEPTH | FTW_PHYS), 0);
}

struct party_people *party_fixture_open(struct party_fixture *f)
{
    struct party_people *people = NULL;
    struct diag_list *diags = mem_alloc_zero(1, sizeof(*diags));
    enum err err = party_open(&f->options, diags, &people);
    if (err != ERR_OK)
        fail_msg("%s", diags->n ? diags->diags[0].text : err_text(err));
    mem_free(diags);
    return people;
}
