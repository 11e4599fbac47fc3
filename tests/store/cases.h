/* cases.h - what the cases of the store's conformance test share: a fresh store for each, and short ways to ask it. */
#pragma once
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/kv.h"
#include "store/store.h"
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/stat.h>

enum variant { VARIANT_MEM, VARIANT_DIR, VARIANT_DIR_USER };

struct env {
    enum variant variant;
    char top[64];  /* a scratch directory, "" for mem */
    char tree[80]; /* the served directory in it */
    struct kv *kv;
    struct store *s;
    struct st_node *root;
};

extern enum variant variant; /* of the group that runs */
int env_setup(void **state);
int env_teardown(void **state);
void env_reopen(struct env *e); /* closes the store (all nodes are given back) and opens it again */
static inline bool is_dir(const struct env *e) { return e->variant != VARIANT_MEM; }

#define OK(call) assert_string_equal(st_name(call), "ST_OK")
#define IS(call, want) assert_string_equal(st_name(call), st_name(want))

struct st_node *lookup(struct env *e, struct st_node *dir, const char *name); /* fails the case when it cannot */
enum st lookup_st(struct env *e, struct st_node *dir, const char *name);
struct st_node *make(struct env *e, struct st_node *dir, const char *name, enum st_type type, uint32_t mode);
enum st make_st(struct env *e, struct st_node *dir, const char *name, enum st_type type);
enum st unlink_name(struct env *e, struct st_node *dir, const char *name, unsigned flags);
enum st rename_name(struct env *e, struct st_node *sd, const char *s, struct st_node *dd, const char *d,
                    unsigned flags);
struct st_attr attr(struct st_node *n);
void put(struct st_node *n, uint64_t off, const void *data, size_t len);
void put_text(struct st_node *n, const char *text);
void expect_text(struct st_node *n, const char *text);
char *local(struct env *e, const char *below, char out[512]); /* the path of a local program */

extern const struct CMUnitTest names_cases[], data_cases[], local_cases[];
extern const size_t names_count, data_count, local_count;
#define CASE(f) cmocka_unit_test_setup_teardown(f, env_setup, env_teardown)
