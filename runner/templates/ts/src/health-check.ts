// Health check: enough voters may still be lost, and every voter answers.
import { finding, type HealthCheck } from 'runner-plugin';

/** What an operator can set: the default says the type. */
export const settings = {
  // How many voters the cluster must be able to lose before this node joins.
  minFaultTolerance: { default: 0, min: 0 },
};

/** Returns what is worth saying; one finding of severity `error` refuses the join. */
export const healthCheck: HealthCheck<typeof settings> = ({ cluster, settings }) => {
  const found = cluster
    .members()
    .filter((member) => member.role() === 'voter' && !member.reachable())
    .map((member) => finding('warning', 'voter-silent', `${member.name() || member.id()} does not answer`, { member: member.id() }));
  const tolerance = cluster.faultTolerance();
  if (tolerance < settings.minFaultTolerance) {
    const message = `the cluster can lose ${tolerance} voters, at least ${settings.minFaultTolerance} are asked for`;
    found.push(finding('error', 'fault-tolerance', message, { remedy: 'bring the missing voters back first' }));
  }
  return found;
};
