/*
 * `citybrain contract …`: contracts from the shell, as a person who signs in at the running brain, or as a program with its token. It knows
 * no more than the door tells it (hub/desk_door.c).
 */
#ifndef HUB_CLI_CONTRACT_H
#define HUB_CLI_CONTRACT_H

#include "base/err.h"
#include "base/str.h"

#include <stdio.h>

struct hub_cli_contract {
    const char *url;    /* "http://127.0.0.1:8080" */
    const char *token;  /* a program's; NULL: */
    const char *person; /* sign-in name */
    const char *password;
    char cookie[160]; /* the session, once signed in */
};

/* Exit codes: 0 done, 1 refused, 2 not reached or asked wrongly. Answers on `out`, refusals in words on `error`. */
int hub_cli_contract_sign_in(struct hub_cli_contract *cli, FILE *error);
int hub_cli_contract_list(struct hub_cli_contract *cli, const char *view, FILE *out, FILE *error); /* view NULL: all of the asker's */
/* In words; `is_json`: all of it, with the receipt of the step that brought it into force, as contract_verify() reads it. */
int hub_cli_contract_show(struct hub_cli_contract *cli, const char *name, bool is_json, FILE *out, FILE *error);
/* `file`: a contract's file (docs/city.md), YAML or JSON. `change`: the draft to change; NULL: a new one. */
int hub_cli_contract_draft(struct hub_cli_contract *cli, const char *file, const char *change, FILE *out, FILE *error);
/* offer, sign, suspend …; sign with the private key in `key_file`, or hand in the signature in `signature_file`; both NULL: the hub signs.
 */
int hub_cli_contract_step(struct hub_cli_contract *cli, const char *name, const char *step, const char *key_file,
    const char *signature_file, FILE *out, FILE *error);
/* Without any brain: {"key":…,"signature":…} over an exported contract. */
int hub_cli_contract_sign_file(const char *contract_file, const char *key_file, FILE *out, FILE *error);

#endif
