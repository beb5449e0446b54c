/* Write runner plugins in C: a function and a table of settings per role.
 *
 * What is not here is in plugin.h, which `runner plugin build` generates from the contract: `runner_plugin_facts_…`. */
#ifndef RUNNER_PLUGIN_H
#define RUNNER_PLUGIN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "plugin.h"

/* Room for a member's id, with its end. */
#define RUNNER_ID 32

/* Room for a message. */
#define RUNNER_MESSAGE 512

typedef runner_plugin_facts_borrow_cluster_t runner_cluster_t;
typedef runner_plugin_facts_borrow_member_t runner_member_t;
typedef runner_plugin_facts_borrow_newcomer_t runner_newcomer_t;
typedef runner_plugin_facts_borrow_samples_t runner_samples_t;

/* One setting: a whole number. A table of them ends with {0}. */
typedef struct {
  const char *name;
  int64_t value, min, max; /* value: the default */
} runner_setting_t;

typedef enum { RUNNER_DEBUG, RUNNER_INFO, RUNNER_WARN, RUNNER_FAILURE } runner_level_t;

/* A message for whoever reads the run. */
void runner_log(runner_level_t level, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Copies a text of the contract into a buffer, cut where it is too long, and frees it. */
void runner_text(char *buffer, size_t size, plugin_string_t *text);

/* The window of samples, oldest first: 0 … len - 1. */
uint32_t runner_samples_len(runner_samples_t window);
uint64_t runner_samples_at_ms(runner_samples_t window, uint32_t i);
uint64_t runner_samples_lag(runner_samples_t window, uint32_t i);
uint64_t runner_samples_term(runner_samples_t window, uint32_t i);
bool runner_samples_reachable(runner_samples_t window, uint32_t i);
/* The leader's member id; false where there was none. */
bool runner_samples_leader(runner_samples_t window, uint32_t i, char id[RUNNER_ID]);

#ifdef RUNNER_PROMOTION
typedef struct {
  enum { RUNNER_APPROVE, RUNNER_WAIT, RUNNER_REJECT, RUNNER_CANNOT_TELL } kind;
  uint32_t retry_after_ms; /* 0: with the next sample */
  char text[RUNNER_MESSAGE];
} runner_verdict_t;

runner_verdict_t runner_approve(void);
/* Not yet: asked again after so many milliseconds. */
runner_verdict_t runner_wait(uint32_t retry_after_ms, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Give up: the join is undone. */
runner_verdict_t runner_reject(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* It cannot be judged; what becomes of the join is the plugin's failure policy. */
runner_verdict_t runner_cannot_tell(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* To be written by the plugin. */
extern const runner_setting_t promotion_settings[];
runner_verdict_t promotion(runner_cluster_t cluster, runner_member_t candidate, runner_samples_t window, const int64_t *settings);
#endif

#ifdef RUNNER_HEALTH_CHECK
typedef enum { RUNNER_NOTE, RUNNER_WARNING, RUNNER_ERROR } runner_severity_t;

/* Something worth saying; remedy and member may be NULL. */
void runner_finding(runner_severity_t severity, const char *code, const char *remedy, const char *member, const char *format, ...)
    __attribute__((format(printf, 5, 6)));

/* To be written by the plugin. */
extern const runner_setting_t health_check_settings[];
void health_check(runner_cluster_t cluster, runner_newcomer_t newcomer, const int64_t *settings);
#endif

#ifdef RUNNER_NOTIFIER
/* To be written by the plugin. */
extern const runner_setting_t notifier_settings[];
const char *notifier(const char *kind, uint64_t at_ms, const char *json, const int64_t *settings);
#endif

#endif
