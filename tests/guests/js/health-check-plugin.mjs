// A health check in JavaScript: every member answers and runs the expected etcd version.
//
// Settings: `version` (the version to expect; without it the newcomer's, else the leader's) and `severity` of a member that
// runs another one (`warning` or `error`, the latter refuses the join).
import { log } from 'runner:plugin/logging@0.1.1';
import { get as settings } from 'runner:plugin/settings@0.1.1';

export const configuration = {
  validate(text) {
    const problems = [];
    const bad = (path, message) => problems.push({ path, message });
    let given;
    try {
      given = JSON.parse(text);
    } catch (error) {
      return [{ path: '', message: `not JSON: ${error.message}` }];
    }
    if (typeof given !== 'object' || given === null || Array.isArray(given)) {
      return [{ path: '', message: 'expected a JSON object' }];
    }
    for (const [key, value] of Object.entries(given)) {
      if (key === 'version') {
        if (typeof value !== 'string') bad(key, 'expected a version such as "3.5.16"');
      } else if (key === 'severity') {
        if (value !== 'warning' && value !== 'error') bad(key, 'expected "warning" or "error"');
      } else {
        bad(key, `unknown field \`${key}\`, expected \`version\` or \`severity\``);
      }
    }
    return problems;
  },
};

export const healthCheck = {
  check(cluster, newcomer) {
    const { version, severity = 'warning' } = JSON.parse(settings());
    const expected = version ?? newcomer.version() ?? cluster.leader()?.version() ?? null;
    const members = cluster.members();
    const findings = [];
    for (const member of members) {
      const name = member.name() || member.id();
      const runs = member.version();
      if (!member.reachable()) {
        findings.push({
          severity: 'error',
          code: 'member-unreachable',
          message: `${name} does not answer`,
          remedy: `start ${name}, or remove it from the member list`,
          member: member.id(),
        });
      } else if (expected !== null && runs !== expected) {
        findings.push({
          severity,
          code: 'version-differs',
          message: `${name} runs ${runs ?? 'an unknown version'}, not ${expected}`,
          remedy: `bring ${name} to ${expected} first`,
          member: member.id(),
        });
      }
    }
    log('info', `${findings.length} of ${members.length} members are not as expected`);
    return findings;
  },
};
