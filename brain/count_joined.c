/* The sums of a count from files, and the bus to the parts; see count_joined.h. */
#include "brain/count_joined.h"

#include "base/crypto.h"
#include "base/log.h"

#include <stdio.h>

#define ROUND_MS 10
#define TELL_MS 3000 /* who waits so long wants to know for whom */
#define SETTLE_ROUNDS 3

static void ask(void *context, uint32_t part, struct str question)
{
    struct count_joined *joined = context;
    count_bus_ask(joined->carrier, part, question);
}

static void on_answer(void *context, uint32_t part, struct str answer)
{
    struct count_joined *joined = context;
    enum err err = count_parts_answer(joined->parts, part, answer);
    if (err == ERR_OK || joined->err != ERR_OK)
        return;
    joined->err = err;
    joined->err_part = part;
}

static enum err tell_broken(const struct count_joined *joined, struct diag *diag)
{
    unsigned part = joined->err_part + 1, n = joined->options.n;
    if (joined->err == ERR_STATE)
        return diag_set(diag, joined->err, NULL, 0,
            "part %u of %u was started anew on the way, and too much had been asked of it since it kept its vehicles last; start the parts "
            "with --data, and begin again",
            part, n);
    if (joined->err == ERR_UNSUPPORTED)
        return diag_set(diag, joined->err, NULL, 0,
            "part %u of %u counts on another network, or is another version; start it with the same --network and program", part, n);
    return diag_set(diag, joined->err, NULL, 0, "part %u of %u answered what cannot be (%s); see its log", part, n, err_text(joined->err));
}

static enum err look_who_is_late(struct count_joined *joined, struct diag *diag)
{
    for (uint32_t i = 0; i < joined->options.n; i++) {
        int64_t waited_ms = count_bus_waited_ms(joined->carrier, i);
        const char *why = count_bus_err(joined->carrier, i) == ERR_OK ? "no answer yet" : err_text(count_bus_err(joined->carrier, i));
        if (waited_ms > joined->options.wait_ms)
            return diag_set(diag, ERR_TIMEOUT, NULL, 0,
                "part %u of %u has not answered for %lld s (%s); start it: citybrain count-part CITY --part %u/%u …", i + 1,
                joined->options.n, (long long)(waited_ms / 1000), why, i + 1, joined->options.n);
        if (waited_ms > TELL_MS && !joined->is_told) {
            fprintf(stderr, "citybrain count: waiting for part %u of %u (%s)\n", i + 1, joined->options.n, why);
            joined->is_told = true;
        }
    }
    return ERR_OK;
}

static enum err wait_for_parts(void *context, struct count_parts *parts, struct diag *diag)
{
    struct count_joined *joined = context;
    enum err err = ERR_OK;
    joined->parts = parts;
    joined->is_told = false;
    while (err == ERR_OK && joined->err == ERR_OK && count_parts_is_asking(parts)) {
        err = loop_run_once(joined->loop, ROUND_MS);
        if (err == ERR_OK && joined->err == ERR_OK)
            err = look_who_is_late(joined, diag);
    }
    return joined->err != ERR_OK ? tell_broken(joined, diag) : err;
}

enum err count_joined_open(const struct count_joined_options *options, struct diag_list *diags, struct count_joined *joined)
{
    struct brain_bus_options bus = options->bus;
    *joined = (struct count_joined){.options = *options};
    joined->files = (struct count_files_parts){.n = options->n, .ask = ask, .wait = wait_for_parts, .context = joined};
    while (joined->files.run == 0)
        crypto_random(&joined->files.run, sizeof(joined->files.run));
    log_set_level(LOG_WARNING); /* that the link is up is no news here */
    bus.parties = joined->parties;
    enum err err = city_path(options->city_dir, "parties.yaml", joined->parties);
    if (err == ERR_OK)
        err = loop_create(clock_system(), &joined->loop);
    if (err == ERR_OK)
        err = brain_bus_open(&bus, NULL, str_from_c(options->party), joined->loop, NULL, NULL, NULL, diags, &joined->bus);
    const struct count_bus_options carrier = {.peer = joined->bus.peer,
        .loop = joined->loop,
        .clock = clock_system(),
        .party = str_from_c(options->party),
        .n = options->n,
        .on_answer = on_answer,
        .context = joined};
    return err == ERR_OK ? count_bus_create(&carrier, &joined->carrier) : err;
}

void count_joined_close(struct count_joined *joined)
{
    if (joined->carrier)
        count_bus_stop(joined->carrier);
    brain_bus_destroy(&joined->bus);
    brain_bus_close(&joined->bus);
    for (int i = 0; i < SETTLE_ROUNDS && joined->loop; i++)
        if (loop_run_once(joined->loop, 0))
            break;
    count_bus_destroy(joined->carrier);
    loop_destroy(joined->loop);
}
