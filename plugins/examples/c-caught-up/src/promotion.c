/* Promotion: the candidate has caught up once its newest samples are close to one and the same leader. */
#include "runner_plugin.h"

/* A term is an election; so many in one window and the cluster is not fit for another voter. */
enum { MOST_TERMS = 5, RETRY_MS = 500 };

/* What an operator can set: whole numbers, with a default and limits. */
enum { MAX_LAG, SAMPLES };
const runner_setting_t promotion_settings[] = {
    [MAX_LAG] = {"maxLag", .value = 100, .min = 0, .max = INT64_MAX}, /* how many entries behind is close enough */
    [SAMPLES] = {"samples", .value = 5, .min = 2, .max = 100},        /* how many of the newest must be good */
    {0},
};

/* Asked again with every sample. The same samples and settings must give the same verdict. */
runner_verdict_t promotion(runner_cluster_t cluster, runner_member_t candidate, runner_samples_t window,
                           const int64_t *settings) {
  uint32_t len = runner_samples_len(window), wanted = (uint32_t)settings[SAMPLES];
  if (len > 0) {
    int64_t terms = (int64_t)(runner_samples_term(window, len - 1) - runner_samples_term(window, 0));
    if (terms > MOST_TERMS) return runner_reject("elections all the time: %lld terms", (long long)terms);
  }
  if (len < wanted) return runner_wait(RETRY_MS, "%u of %u samples", len, wanted);

  for (uint32_t i = len; i-- > len - wanted;)
    if (!runner_samples_reachable(window, i)) return runner_wait(RETRY_MS, "does not answer");

  for (uint32_t i = len; i-- > len - wanted;) {
    uint64_t lag = runner_samples_lag(window, i);
    if (lag > (uint64_t)settings[MAX_LAG])
      return runner_wait(RETRY_MS, "%llu entries behind, at most %lld allowed", (unsigned long long)lag,
                         (long long)settings[MAX_LAG]);
  }

  char leader[RUNNER_ID], other[RUNNER_ID];
  if (!runner_samples_leader(window, len - 1, leader)) return runner_wait(RETRY_MS, "the leader changed");
  for (uint32_t i = len - 1; i-- > len - wanted;)
    if (!runner_samples_leader(window, i, other) || strcmp(leader, other) != 0)
      return runner_wait(RETRY_MS, "the leader changed");

  return runner_approve();
}
