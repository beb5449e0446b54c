// Write runner plugins in JavaScript or TypeScript: one file per role, a function in it, and a table of settings.
//
// This module makes verdicts and findings, and logs. What runs around an author's function is in guest.js.
import { log as say } from 'runner:plugin/logging@0.1.1';

/** The candidate may become a voter. */
export const approve = () => ({ tag: 'approve' });

/** Not yet: `reason` is shown to the operator; asked again after `retryAfterMs` milliseconds, or with the next sample. */
export const wait = (reason, retryAfterMs = null) => ({ tag: 'wait', val: { reason: String(reason), retryAfterMs } });

/** Give up: the join is undone. */
export const reject = (reason) => ({ tag: 'reject', val: String(reason) });

/** Something worth saying about the cluster; one of severity `error` refuses the join. */
export const finding = (severity, code, message, { remedy = null, member = null } = {}) => ({ severity, code, message, remedy, member });

const line = (level) => (...words) => say(level, words.map(text).join(' '));

/** Messages for whoever reads the run. */
export const log = { debug: line('debug'), info: line('info'), warn: line('warn'), error: line('error') };

/** Any value as text: what was thrown, what a capability answered with, what is logged. */
export function text(value) {
  if (typeof value === 'string') return value;
  if (value instanceof Error) {
    // What a capability refuses arrives as an error that carries the contract's `failure`.
    if (value.payload !== undefined) return text(value.payload);
    const words = value.name && value.name !== 'Error' ? `${value.name}: ${value.message}` : value.message;
    return value.cause === undefined ? words : `${words}: ${text(value.cause)}`;
  }
  if (typeof value === 'object' && value !== null) {
    if (typeof value.kind === 'string' && typeof value.message === 'string') return `${value.kind}: ${value.message}`;
    if (value.payload !== undefined) return text(value.payload);
    try {
      return JSON.stringify(value);
    } catch {
      return String(value);
    }
  }
  return String(value);
}
