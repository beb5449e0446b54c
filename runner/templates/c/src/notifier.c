/* Notifier: says in the run's log what happened. */
#include "runner_plugin.h"

/* What an operator can set: whole numbers, with a default and limits. */
enum { VERBOSE };
const runner_setting_t notifier_settings[] = {
    [VERBOSE] = {"verbose", .value = 1, .min = 0, .max = 1}, /* 1: with the event's details */
    {0},
};

/* Told once for each event, oldest first. New kinds may appear in any release: ignore unknown ones. Return NULL, or what failed. */
const char *notifier(const char *kind, uint64_t at_ms, const char *json, const int64_t *settings) {
  if (strcmp(kind, "run-started") == 0 || strcmp(kind, "run-finished") == 0)
    runner_log(RUNNER_INFO, "%s %s", kind, settings[VERBOSE] ? json : "");
  return NULL;
}
