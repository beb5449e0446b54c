/* What runs around an author's functions: the exports of the contract, and the settings' JSON. */
#include "runner_plugin.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

/* The most settings of one role. */
#define MOST_SETTINGS 64

static void text_of(plugin_string_t *to, const char *text) { plugin_string_dup(to, text); }

void runner_text(char *buffer, size_t size, plugin_string_t *text) {
  size_t len = text->len < size - 1 ? text->len : size - 1;
  memcpy(buffer, text->ptr, len);
  buffer[len] = 0;
  plugin_string_free(text);
}

void runner_log(runner_level_t level, const char *format, ...) {
  char message[RUNNER_MESSAGE * 8];
  va_list rest;
  va_start(rest, format);
  vsnprintf(message, sizeof message, format, rest);
  va_end(rest);
  plugin_string_t text;
  plugin_string_set(&text, message);
  runner_plugin_logging_log((runner_plugin_logging_level_t)level, &text);
}

uint32_t runner_samples_len(runner_samples_t window) { return runner_plugin_facts_method_samples_len(window); }
uint64_t runner_samples_at_ms(runner_samples_t window, uint32_t i) { return runner_plugin_facts_method_samples_at_ms(window, i); }
uint64_t runner_samples_lag(runner_samples_t window, uint32_t i) { return runner_plugin_facts_method_samples_lag(window, i); }
uint64_t runner_samples_term(runner_samples_t window, uint32_t i) { return runner_plugin_facts_method_samples_term(window, i); }
bool runner_samples_reachable(runner_samples_t window, uint32_t i) {
  return runner_plugin_facts_method_samples_reachable(window, i);
}
bool runner_samples_leader(runner_samples_t window, uint32_t i, char id[RUNNER_ID]) {
  plugin_string_t text;
  if (!runner_plugin_facts_method_samples_leader(window, i, &text)) return false;
  runner_text(id, RUNNER_ID, &text);
  return true;
}

/* --- settings: one flat JSON object of whole numbers --- */

typedef struct {
  const char *at, *end;
} reader_t;

static void blanks(reader_t *r) {
  while (r->at < r->end && strchr(" \t\r\n", *r->at)) r->at++;
}

static bool take(reader_t *r, char c) {
  blanks(r);
  if (r->at >= r->end || *r->at != c) return false;
  r->at++;
  return true;
}

/* A key, as it is written; none of ours needs an escape, so one with an escape is unknown. */
static bool key(reader_t *r, char *name, size_t size) {
  if (!take(r, '"')) return false;
  size_t len = 0;
  for (; r->at < r->end && *r->at != '"'; r->at++) {
    if (*r->at == '\\' && r->at + 1 < r->end) {
      if (len + 1 < size) name[len++] = *r->at;
      r->at++;
    }
    if (len + 1 < size) name[len++] = *r->at;
  }
  name[len] = 0;
  return take(r, '"');
}

/* Skips one value of any kind. Runner's JSON is well formed: only its ends are looked for. */
static bool skip(reader_t *r) {
  int depth = 0;
  blanks(r);
  const char *from = r->at;
  for (; r->at < r->end; r->at++) {
    char c = *r->at;
    if (c == '"') {
      for (r->at++; r->at < r->end && *r->at != '"'; r->at++)
        if (*r->at == '\\') r->at++;
    } else if (c == '{' || c == '[') {
      depth++;
    } else if (depth == 0 && (c == ',' || c == '}' || c == ']')) {
      break;
    } else if (c == '}' || c == ']') {
      depth--;
    }
  }
  return depth == 0 && r->at > from && r->at <= r->end;
}

/* A whole number that fits, and nothing after it. */
static bool number(const char *at, const char *end, int64_t *value) {
  bool negative = at < end && *at == '-';
  if (negative) at++;
  if (at == end) return false;
  uint64_t sum = 0;
  for (; at < end && *at >= '0' && *at <= '9'; at++) {
    if (sum > (uint64_t)INT64_MAX / 10 - 1) return false;
    sum = sum * 10 + (uint64_t)(*at - '0');
  }
  while (at < end && strchr(" \t\r\n", *at)) at++;
  *value = negative ? -(int64_t)sum : (int64_t)sum;
  return at == end;
}

typedef void found_t(void *context, const char *path, const char *message);

static const runner_setting_t *setting(const runner_setting_t *const *tables, const char *name) {
  for (; *tables; tables++)
    for (const runner_setting_t *one = *tables; one->name; one++)
      if (strcmp(one->name, name) == 0) return one;
  return NULL;
}

/* Reads the settings against the tables of all roles; tells what is wrong, and each value of `wanted` in `values`. */
static void read_settings(const plugin_string_t *json, const runner_setting_t *const *tables, const runner_setting_t *wanted,
                          int64_t *values, found_t *found, void *context) {
  for (size_t i = 0; wanted && wanted[i].name; i++) values[i] = wanted[i].value;
  reader_t r = {(const char *)json->ptr, (const char *)json->ptr + json->len};
  char message[RUNNER_MESSAGE];
  if (!take(&r, '{')) {
    found(context, "", "expected a JSON object");
    return;
  }
  if (take(&r, '}')) return;
  do {
    char name[128];
    if (!key(&r, name, sizeof name) || !take(&r, ':')) break;
    blanks(&r);
    const char *from = r.at;
    if (!skip(&r)) break;
    int64_t value;
    const runner_setting_t *one = setting(tables, name);
    if (!one) {
      snprintf(message, sizeof message, "unknown field `%s`", name);
      found(context, name, message);
    } else if (!number(from, r.at, &value)) {
      found(context, name, "expected a whole number");
    } else if (value < one->min || value > one->max) {
      if (one->max == INT64_MAX)
        snprintf(message, sizeof message, "%lld is less than %lld", (long long)value, (long long)one->min);
      else
        snprintf(message, sizeof message, "%lld is not in %lld to %lld", (long long)value, (long long)one->min,
                 (long long)one->max);
      found(context, name, message);
    } else {
      for (size_t i = 0; wanted && wanted[i].name; i++)
        if (strcmp(wanted[i].name, name) == 0) values[i] = value;
    }
  } while (take(&r, ','));
  if (!take(&r, '}')) found(context, "", "not JSON");
}

static const runner_setting_t *const all_tables[] = {
#ifdef RUNNER_PROMOTION
    promotion_settings,
#endif
#ifdef RUNNER_HEALTH_CHECK
    health_check_settings,
#endif
#ifdef RUNNER_NOTIFIER
    notifier_settings,
#endif
    NULL,
};

static void add_problem(void *context, const char *path, const char *message) {
  exports_runner_plugin_configuration_list_problem_t *list = context;
  list->ptr = realloc(list->ptr, (list->len + 1) * sizeof *list->ptr);
  if (!list->ptr) abort();
  text_of(&list->ptr[list->len].path, path);
  text_of(&list->ptr[list->len].message, message);
  list->len++;
}

void exports_runner_plugin_configuration_validate(plugin_string_t *settings,
                                                  exports_runner_plugin_configuration_list_problem_t *ret) {
  ret->ptr = NULL;
  ret->len = 0;
  read_settings(settings, all_tables, NULL, NULL, add_problem, ret);
  plugin_string_free(settings);
}

static void first_problem(void *context, const char *path, const char *message) {
  char *text = context;
  if (!*text) snprintf(text, RUNNER_MESSAGE, "bad settings: %s%s%s", path, *path ? ": " : "", message);
}

/* The settings of one role; false, with the contract's text, where they are wrong. */
static bool settings_of(const runner_setting_t *table, int64_t values[MOST_SETTINGS], plugin_string_t *err) {
  char text[RUNNER_MESSAGE] = "";
  size_t count = 0;
  while (table[count].name) count++;
  if (count > MOST_SETTINGS) {
    text_of(err, "the table of settings is too long");
    return false;
  }
  plugin_string_t json;
  runner_plugin_settings_get(&json);
  read_settings(&json, all_tables, table, values, first_problem, text);
  plugin_string_free(&json);
  if (*text) text_of(err, text);
  return !*text;
}

#ifdef RUNNER_PROMOTION
runner_verdict_t runner_approve(void) { return (runner_verdict_t){.kind = RUNNER_APPROVE}; }

#define FORMATTED(verdict)                                             \
  va_list rest;                                                        \
  va_start(rest, format);                                              \
  vsnprintf((verdict).text, sizeof (verdict).text, format, rest);      \
  va_end(rest)

runner_verdict_t runner_wait(uint32_t retry_after_ms, const char *format, ...) {
  runner_verdict_t verdict = {.kind = RUNNER_WAIT, .retry_after_ms = retry_after_ms};
  FORMATTED(verdict);
  return verdict;
}

runner_verdict_t runner_reject(const char *format, ...) {
  runner_verdict_t verdict = {.kind = RUNNER_REJECT};
  FORMATTED(verdict);
  return verdict;
}

runner_verdict_t runner_cannot_tell(const char *format, ...) {
  runner_verdict_t verdict = {.kind = RUNNER_CANNOT_TELL};
  FORMATTED(verdict);
  return verdict;
}

bool exports_runner_plugin_promotion_evaluate(exports_runner_plugin_promotion_own_cluster_t cluster,
                                              exports_runner_plugin_promotion_own_member_t candidate,
                                              exports_runner_plugin_promotion_own_samples_t window,
                                              exports_runner_plugin_promotion_verdict_t *ret, plugin_string_t *err) {
  int64_t values[MOST_SETTINGS];
  bool answered = settings_of(promotion_settings, values, err);
  if (answered) {
    runner_verdict_t verdict = promotion(runner_plugin_facts_borrow_cluster(cluster), runner_plugin_facts_borrow_member(candidate),
                                         runner_plugin_facts_borrow_samples(window), values);
    switch (verdict.kind) {
    case RUNNER_APPROVE:
      ret->tag = EXPORTS_RUNNER_PLUGIN_PROMOTION_VERDICT_APPROVE;
      break;
    case RUNNER_WAIT:
      ret->tag = EXPORTS_RUNNER_PLUGIN_PROMOTION_VERDICT_WAIT;
      text_of(&ret->val.wait.reason, verdict.text);
      ret->val.wait.retry_after_ms.is_some = verdict.retry_after_ms != 0;
      ret->val.wait.retry_after_ms.val = verdict.retry_after_ms;
      break;
    case RUNNER_REJECT:
      ret->tag = EXPORTS_RUNNER_PLUGIN_PROMOTION_VERDICT_REJECT;
      text_of(&ret->val.reject, verdict.text);
      break;
    case RUNNER_CANNOT_TELL:
      text_of(err, verdict.text);
      answered = false;
      break;
    }
  }
  runner_plugin_facts_samples_drop_own(window);
  runner_plugin_facts_member_drop_own(candidate);
  runner_plugin_facts_cluster_drop_own(cluster);
  return answered;
}
#endif

#ifdef RUNNER_HEALTH_CHECK
static exports_runner_plugin_health_check_list_finding_t findings;

static void optional(plugin_option_string_t *to, const char *text) {
  to->is_some = text != NULL;
  if (text) text_of(&to->val, text);
}

void runner_finding(runner_severity_t severity, const char *code, const char *remedy, const char *member, const char *format, ...) {
  char message[RUNNER_MESSAGE];
  va_list rest;
  va_start(rest, format);
  vsnprintf(message, sizeof message, format, rest);
  va_end(rest);
  findings.ptr = realloc(findings.ptr, (findings.len + 1) * sizeof *findings.ptr);
  if (!findings.ptr) abort();
  exports_runner_plugin_health_check_finding_t *one = &findings.ptr[findings.len++];
  one->severity = (uint8_t)severity;
  text_of(&one->code, code);
  text_of(&one->message, message);
  optional(&one->remedy, remedy);
  optional(&one->member, member);
}

bool exports_runner_plugin_health_check_check(exports_runner_plugin_health_check_own_cluster_t cluster,
                                              exports_runner_plugin_health_check_own_newcomer_t newcomer,
                                              exports_runner_plugin_health_check_list_finding_t *ret, plugin_string_t *err) {
  int64_t values[MOST_SETTINGS];
  findings.ptr = NULL;
  findings.len = 0;
  bool answered = settings_of(health_check_settings, values, err);
  if (answered) {
    health_check(runner_plugin_facts_borrow_cluster(cluster), runner_plugin_facts_borrow_newcomer(newcomer), values);
    *ret = findings;
  }
  runner_plugin_facts_newcomer_drop_own(newcomer);
  runner_plugin_facts_cluster_drop_own(cluster);
  return answered;
}
#endif

#ifdef RUNNER_NOTIFIER
/* A text of the contract, with an end. */
static char *ended(const plugin_string_t *text) {
  char *copy = malloc(text->len + 1);
  if (!copy) abort();
  memcpy(copy, text->ptr, text->len);
  copy[text->len] = 0;
  return copy;
}

bool exports_runner_plugin_notifier_notify(exports_runner_plugin_notifier_list_event_t *events, plugin_string_t *err) {
  int64_t values[MOST_SETTINGS];
  if (!settings_of(notifier_settings, values, err)) return false;
  for (size_t i = 0; i < events->len; i++) {
    char *kind = ended(&events->ptr[i].kind), *json = ended(&events->ptr[i].json);
    const char *failed = notifier(kind, events->ptr[i].at_ms, json, values);
    free(kind);
    free(json);
    if (failed) {
      text_of(err, failed);
      return false;
    }
  }
  return true;
}
#endif

/* The bindings ask for an object that holds the component's type; `runner plugin build` writes it into the module itself. */
void __component_type_object_force_link_plugin(void);
void __component_type_object_force_link_plugin(void) {}
