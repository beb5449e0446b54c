// A promotion criterion in JavaScript: the last sample's lag is at most `maxLag` entries (100 without the setting).
import { log } from 'runner:plugin/logging@0.1.1';
import { get as settings } from 'runner:plugin/settings@0.1.1';

export const configuration = {
  validate(text) {
    let given;
    try {
      given = JSON.parse(text);
    } catch (error) {
      return [{ path: '', message: `not JSON: ${error.message}` }];
    }
    if (typeof given !== 'object' || given === null || Array.isArray(given)) {
      return [{ path: '', message: 'expected a JSON object' }];
    }
    const problems = [];
    for (const [key, value] of Object.entries(given)) {
      if (key !== 'maxLag') problems.push({ path: key, message: `unknown field \`${key}\`, expected \`maxLag\`` });
      else if (!Number.isInteger(value) || value < 0) problems.push({ path: key, message: 'expected a whole number from 0' });
    }
    return problems;
  },
};

export const promotion = {
  evaluate(cluster, candidate, window) {
    const { maxLag = 100 } = JSON.parse(settings());
    const last = window.len() - 1;
    if (last < 0) return { tag: 'wait', val: { reason: 'no sample yet', retryAfterMs: null } };
    // A u64 arrives as a number or, in newer runtimes, as a bigint; entries behind are far below 2^53.
    const lag = Number(window.lag(last));
    log('debug', `${candidate.name()} is ${lag} entries behind`);
    if (lag > maxLag) return { tag: 'wait', val: { reason: `lag ${lag} > ${maxLag}`, retryAfterMs: 50 } };
    return { tag: 'approve' };
  },
};
