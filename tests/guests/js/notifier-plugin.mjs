// A notifier in JavaScript: one line of log for every event, with the time passed since it happened.
//
// Setting: `kinds`, a list of the event kinds to tell; all without it.
import { nowMs } from 'runner:plugin/clock@0.1.1';
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
      if (key !== 'kinds') {
        problems.push({ path: key, message: `unknown field \`${key}\`, expected \`kinds\`` });
      } else if (!Array.isArray(value)) {
        problems.push({ path: key, message: 'expected a list of event kinds' });
      } else {
        value.forEach((kind, i) => {
          if (typeof kind !== 'string') problems.push({ path: `kinds[${i}]`, message: 'expected a text' });
        });
      }
    }
    return problems;
  },
};

export const notifier = {
  notify(events) {
    const { kinds = null } = JSON.parse(settings());
    for (const event of events) {
      if (kinds !== null && !kinds.includes(event.kind)) continue;
      const ago = Number(nowMs()) - Number(event.atMs);
      log('info', `${event.kind}, ${ago} ms ago: ${event.json}`);
    }
  },
};
