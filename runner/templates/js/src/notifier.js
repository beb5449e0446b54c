// Notifier: says in the run's log what happened, in the operator's words.
import { log } from 'runner-plugin';

/** What an operator can set: the default says the type. */
export const settings = {
  // Put before every message.
  prefix: { default: 'runner' },
};

/** Told what happened, oldest first. New kinds may appear in any release: ignore those that you do not know. */
export function notifier({ events, settings }) {
  for (const { kind, details } of events) {
    if (kind === 'run-finished' || kind === 'run-started') log.info(`${settings.prefix}: ${kind}`, details);
  }
}
