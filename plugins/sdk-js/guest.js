// What runs around an author's functions: settings are read, whatever is thrown becomes the contract's text (a trap would lose
// it), and the window of samples becomes something that one can loop over.
import { get } from 'runner:plugin/settings@0.1.1';
import { log, text } from './index.js';
import { read } from './settings.js';

/** One sample of the window. */
class Sample {
  #window;
  #i;
  constructor(window, i) {
    this.#window = window;
    this.#i = i;
  }
  // A 64-bit number arrives as a number, or as a bigint with newer runtimes.
  atMs() { return Number(this.#window.atMs(this.#i)); }
  leaderIndex() { return Number(this.#window.leaderIndex(this.#i)); }
  appliedIndex() { return Number(this.#window.appliedIndex(this.#i)); }
  lag() { return Number(this.#window.lag(this.#i)); }
  leader() { return this.#window.leader(this.#i) ?? null; }
  term() { return Number(this.#window.term(this.#i)); }
  reachable() { return this.#window.reachable(this.#i); }
}

/** The window of samples, oldest first. */
class Samples {
  #window;
  length;
  constructor(window) {
    this.#window = window;
    this.length = window.len();
  }
  /** Sample `i`; negative counts from the newest. Undefined where there is none. */
  at(i) {
    const index = i < 0 ? this.length + i : i;
    return index >= 0 && index < this.length ? new Sample(this.#window, index) : undefined;
  }
  /** The newest `n`, oldest first; fewer where there are fewer. */
  last(n) {
    const from = Math.max(0, this.length - n);
    return Array.from({ length: this.length - from }, (_, i) => this.at(from + i));
  }
  *[Symbol.iterator]() {
    for (let i = 0; i < this.length; i += 1) yield this.at(i);
  }
}

/** Runs an author's function. Whatever it throws becomes a text; where it was thrown goes to the log. */
function guarded(work) {
  try {
    return work();
  } catch (error) {
    if (error instanceof Error && error.stack) log.debug(String(error.stack).trim());
    throw text(error);
  }
}

function settingsOf(module) {
  const { values, problems } = read(get(), module.settings ?? {});
  // What is not in this role's table is another role's: `configuration` has looked at the whole.
  const own = problems.filter(({ path }) => path === '' || Object.hasOwn(module.settings ?? {}, path));
  if (own.length) throw new Error(`bad settings: ${own.map(({ path, message }) => (path ? `${path}: ${message}` : message)).join('; ')}`);
  return values;
}

/** Nothing here waits: there is no event loop. */
function atOnce(role, answer) {
  if (answer instanceof Promise) throw new TypeError(`${role} must answer at once: it may not be async`);
}

/** Checks that a verdict is one: the runtime would trap without a word. */
function verdict(answer) {
  atOnce('promotion', answer);
  const { tag, val } = answer ?? {};
  const whole = (n) => n === null || n === undefined || (Number.isInteger(n) && n >= 0 && n <= 0xffffffff);
  if (tag === 'approve' || (tag === 'reject' && typeof val === 'string')) return answer;
  if (tag === 'wait' && typeof val?.reason === 'string') {
    if (!whole(val.retryAfterMs)) throw new TypeError(`retryAfterMs must be a whole number of milliseconds, not ${text(val.retryAfterMs)}`);
    return { tag, val: { reason: val.reason, retryAfterMs: val.retryAfterMs ?? null } };
  }
  throw new TypeError(`promotion must return approve(), wait(…) or reject(…), not ${text(answer)}`);
}

function findings(answer) {
  atOnce('healthCheck', answer);
  if (!Array.isArray(answer)) throw new TypeError(`healthCheck must return a list of findings, not ${text(answer)}`);
  return answer.map((one) => {
    if (!['info', 'warning', 'error'].includes(one?.severity) || typeof one.code !== 'string' || typeof one.message !== 'string') {
      throw new TypeError(`not a finding: ${text(one)}`);
    }
    return { severity: one.severity, code: one.code, message: one.message, remedy: one.remedy ?? null, member: one.member ?? null };
  });
}

/** The `configuration` export of a plugin whose roles are these modules. */
export const configuration = (modules) => ({
  validate(json) {
    try {
      const table = Object.assign({}, ...modules.map((module) => module.settings ?? {}));
      const { values, problems } = read(json, table);
      if (problems.length) return problems;
      return modules.flatMap((module) => module.validate?.(values) ?? []).map(({ path = '', message }) => ({ path, message: String(message) }));
    } catch (error) {
      return [{ path: '', message: `the settings could not be checked: ${text(error)}` }];
    }
  },
});

/** The `health-check` export. */
export const healthCheck = (module) => ({
  check: (cluster, newcomer) => guarded(() => findings(module.healthCheck({ cluster, newcomer, settings: settingsOf(module) }))),
});

/** The `promotion` export. */
export const promotion = (module) => ({
  evaluate: (cluster, candidate, window) =>
    guarded(() => verdict(module.promotion({ cluster, candidate, window: new Samples(window), settings: settingsOf(module) }))),
});

/** The `notifier` export. */
export const notifier = (module) => ({
  notify: (events) =>
    guarded(() => {
      const read = events.map(({ kind, atMs, json }) => ({ kind, atMs: Number(atMs), details: JSON.parse(json) }));
      atOnce('notifier', module.notifier({ events: read, settings: settingsOf(module) }));
    }),
});
