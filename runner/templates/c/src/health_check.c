/* Health check: enough voters may still be lost. */
#include "runner_plugin.h"

/* What an operator can set: whole numbers, with a default and limits. */
enum { MIN_FAULT_TOLERANCE };
const runner_setting_t health_check_settings[] = {
    [MIN_FAULT_TOLERANCE] = {"minFaultTolerance", .value = 0, .min = 0, .max = UINT32_MAX},
    {0},
};

/* Says what is worth saying with runner_finding; one finding of severity error refuses the join. */
void health_check(runner_cluster_t cluster, runner_newcomer_t newcomer, const int64_t *settings) {
  runner_plugin_facts_list_own_member_t members;
  runner_plugin_facts_method_cluster_members(cluster, &members);
  for (size_t i = 0; i < members.len; i++) {
    runner_member_t member = runner_plugin_facts_borrow_member(members.ptr[i]);
    char role[RUNNER_ID], id[RUNNER_ID], name[256];
    plugin_string_t text;
    runner_plugin_facts_method_member_role(member, &text);
    runner_text(role, sizeof role, &text);
    runner_plugin_facts_method_member_id(member, &text);
    runner_text(id, sizeof id, &text);
    runner_plugin_facts_method_member_name(member, &text);
    runner_text(name, sizeof name, &text);
    if (strcmp(role, "voter") == 0 && !runner_plugin_facts_method_member_reachable(member))
      runner_finding(RUNNER_WARNING, "voter-silent", NULL, id, "%s does not answer", *name ? name : id);
    runner_plugin_facts_member_drop_own(members.ptr[i]);
  }
  runner_plugin_facts_list_own_member_free(&members); /* the array only: the members are gone already */

  uint32_t tolerance = runner_plugin_facts_method_cluster_fault_tolerance(cluster);
  if (tolerance < (uint32_t)settings[MIN_FAULT_TOLERANCE])
    runner_finding(RUNNER_ERROR, "fault-tolerance", "bring the missing voters back first", NULL,
                   "the cluster can lose %u voters, at least %u are asked for", tolerance,
                   (uint32_t)settings[MIN_FAULT_TOLERANCE]);
}
