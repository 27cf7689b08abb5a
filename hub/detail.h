/*
 * Why a source is not fresh, for people: a code of the list below with its parameters, which each screen says in its reader's language
 * (cockpit/web/src/i18n, detail.*), and the logs in English. Written as text, "silent|60", so that it travels as one field.
 *
 * A new message is a line here and one in each language of the web; a test there holds the two lists together. Text that begins with no
 * code is told as it is, as the department's own words. Never data, a path or a secret.
 */
#ifndef HUB_DETAIL_H
#define HUB_DETAIL_H

#include "base/str.h"

#define HUB_DETAIL_MAX 200 /* bytes with its NUL */
#define HUB_DETAIL_PARAMETERS_MAX 4

/* code, English with its parameters {1} to {4} */
#define HUB_DETAILS(X_)                                                                                                                    \
    X_(words, "it says: {1}")                                                                                                              \
    X_(never, "not heard since the start")                                                                                                 \
    X_(unregistered, "it has unregistered")                                                                                                \
    X_(silent, "no passage and no keepalive for more than {1} s")                                                                          \
    X_(nothing_yet, "nothing has come yet")                                                                                                \
    X_(nothing_lately, "nothing has come for a while")                                                                                     \
    X_(no_memory, "there is too little memory for it")                                                                                     \
    X_(no_thread, "no thread can be started for it")                                                                                       \
    X_(no_receipt, "receipts of its rows cannot be written")                                                                               \
    X_(no_contract, "there is no contract for it")                                                                                         \
    X_(rule_1, "its contract is not in force")                                                                                             \
    X_(rule_2, "its contract has not begun")                                                                                               \
    X_(rule_3, "its contract is over")                                                                                                     \
    X_(rule_4, "its contract was not confirmed lately enough")                                                                             \
    X_(rule_10, "the contract's uses of this second are used up")                                                                          \
    X_(rule_11, "the contract's uses of this day are used up")                                                                             \
    X_(rule_12, "the contract's uses of this month are used up")                                                                           \
    X_(file_missing, "there is no file {1}")                                                                                               \
    X_(folder_missing, "its folder is not there, or may not be read")                                                                      \
    X_(file_closed, "the file does not open ({1})")                                                                                        \
    X_(file_foreign, "the file cannot be read as a SQLite database ({1})")                                                                 \
    X_(file_locked, "the file is locked by another program")                                                                               \
    X_(no_transaction, "no transaction can be begun ({1})")                                                                                \
    X_(slow, "a statement ran longer than {1} ms")                                                                                         \
    X_(value_long, "a value is longer than {1} bytes")                                                                                     \
    X_(value_type, "field \"{1}\" holds a value that is not of type {2}")                                                                  \
    X_(process_down, "the department's own process is not heard on the bus")                                                               \
    X_(link_down, "the other hub is not heard")                                                                                            \
    X_(unreachable, "the database cannot be reached")                                                                                      \
    X_(no_tls, "the database makes no secure connection (TLS) with us")                                                                    \
    X_(sign_in, "the database refuses the sign-in")                                                                                        \
    X_(no_answer, "the database does not answer in time")                                                                                  \
    X_(endless, "the database sends bytes without an end")                                                                                 \
    X_(out_of_turn, "the database speaks out of turn")                                                                                     \
    X_(too_many, "the database sends more than it was asked for")                                                                          \
    X_(secret_open, "others than its owner may read the password's file (chmod 600)")                                                      \
    X_(secret_unread, "the password's file cannot be read")                                                                                \
    X_(no_session, "the database takes no read-only session (SQLSTATE {1})")                                                               \
    X_(session_writes, "the database keeps no session read-only")                                                                          \
    X_(superuser, "the role is a superuser; give the hub a role that may only SELECT what is declared")                                    \
    X_(no_tables, "the database does not tell of its tables")                                                                              \
    X_(sql_slow, "a statement ran longer than its time (SQLSTATE {1})")                                                                    \
    X_(sql_locked, "a table is locked by the department's own work (SQLSTATE {1})")                                                        \
    X_(sql_denied, "the role may not read a table that is declared (SQLSTATE {1})")                                                        \
    X_(sql_changed, "a table is not as it is declared any more (SQLSTATE {1})")                                                            \
    X_(sql_writes, "a binding tries to write, and is refused (SQLSTATE {1})")                                                              \
    X_(sql_short, "the database is short of memory, disk or connections (SQLSTATE {1})")                                                   \
    X_(sql_refused, "the database refuses a statement (SQLSTATE {1})")                                                                     \
    X_(interface_unreachable, "the department's interface cannot be reached")                                                              \
    X_(interface_no_tls, "the department's interface speaks no TLS that is taken here; mend url: or the interface")                        \
    X_(interface_issuer, "nobody who is trusted here vouches for the certificate of the department's interface; mend tls_ca:")             \
    X_(interface_name, "the certificate of the department's interface is another name's; mend url: or the certificate")                    \
    X_(interface_expired, "the certificate of the department's interface has expired, or is not valid yet; have it renewed")               \
    X_(interface_ca, "the file of tls_ca: cannot be read as certificates")                                                                 \
    X_(interface_slow, "the department's interface does not answer within {1} ms")                                                         \
    X_(interface_status, "the department's interface answers with status {1}")                                                             \
    X_(interface_later, "the department's interface asks to come later (status {1})")                                                      \
    X_(interface_redirect, "the department's interface sends elsewhere (status {1}), which is not followed")                               \
    X_(interface_json, "the department's interface does not answer with the JSON that is declared")                                        \
    X_(interface_large, "an answer of the department's interface is larger than {1} MB")                                                   \
    X_(interface_pages, "the pages of the department's interface have no end, or lead elsewhere")                                          \
    X_(broker_unreachable, "the broker cannot be reached")                                                                                 \
    X_(broker_tls, "the broker makes no secure connection (TLS) with us")                                                                  \
    X_(broker_sign_in, "the broker refuses the sign-in")                                                                                   \
    X_(broker_refuses, "the broker refuses the connection")                                                                                \
    X_(broker_topic, "the broker does not let us subscribe to a declared topic")                                                           \
    X_(broker_silent, "the broker does not answer in time")                                                                                \
    X_(broker_large, "the broker sends a packet of more than 1 MB; set message_size_limit there")                                          \
    X_(broker_broke, "the connection to the broker broke")                                                                                 \
    X_(gateway_gone, "the gateway has said its last will: it is gone")                                                                     \
    X_(subscriber_behind, "a subscriber is behind; the broker keeps what comes")                                                           \
    X_(message_large, "a message for {1} is too large")                                                                                    \
    X_(message_json, "a message for {1} is no JSON")                                                                                       \
    X_(message_type, "a message for {1} has a value of another type than is declared")                                                     \
    X_(message_late, "a message for {1} came too late")                                                                                    \
    X_(message_ahead, "a message for {1} is ahead of the clock")                                                                           \
    X_(no_driver, "the driver for the database is not there")                                                                              \
    X_(field_refused, "field \"{1}\" of {2} is not to be had from the department's database")                                              \
    X_(field_alone, "field \"{1}\" of {2} cannot be asked together with the others")                                                       \
    X_(field_collation, "field \"{1}\" of {2} has a non-deterministic collation")                                                          \
    X_(field_type, "field \"{1}\" of {2} is declared as {3}, but the column is {4}")                                                       \
    X_(field_value, "field \"{1}\" of {2} holds a value that is not of type {3}")

#define HUB_DETAIL_ENUM(code_, english_) HUB_DETAIL_##code_,
enum hub_detail { HUB_DETAILS(HUB_DETAIL_ENUM) HUB_N_DETAILS };

/* A code as a constant text, checked by the compiler; without parameters it is a whole detail. */
#define HUB_DETAIL(code_) (&#code_[0 * HUB_DETAIL_##code_])

/* HUB_DETAIL(code) with parameters, "|" between them, cut to `size`: hub_detail_put(d, sizeof d, HUB_DETAIL(silent), "%d", 60). */
void hub_detail_put(char *out, size_t size, const char *code, const char *parameters, ...) __attribute__((format(printf, 4, 5)));
/* The code and its parameters, which borrow from `detail`; without a code of the list: words, with the text as its parameter. */
size_t hub_detail_split(struct str detail, struct str *ret_code, struct str ret_parameters[HUB_DETAIL_PARAMETERS_MAX]);
/* In English, for logs and the command line; NUL-terminated, cut to `size`; "" for an empty detail. */
void hub_detail_english(struct str detail, char *out, size_t size);

#endif
