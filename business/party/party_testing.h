/* What the tests of people and sign-in share: a small city in a folder of its own, with a fake clock. */
#ifndef BUSINESS_PARTY_TESTING_H
#define BUSINESS_PARTY_TESTING_H

#include "business/party/party.h"

struct party_fixture {
    char dir[64], areas_path[128], parties_path[128], store_path[128], tokens[128];
    struct area_tree *areas;
    struct clock_fake clock;
    struct party_options options;
    struct loop_thread *thread;
};

void party_fixture_set_up(struct party_fixture *f);
void party_fixture_tear_down(struct party_fixture *f);
struct party_people *party_fixture_open(struct party_fixture *f);
void party_fixture_write(const char *path, const char *text);

#endif
