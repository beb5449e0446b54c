// Promotion: the candidate has caught up once its newest samples are close to one and the same leader.
import { approve, reject, wait } from 'runner-plugin';

/** A term is an election; so many in one window and the cluster is not fit for another voter. */
const MOST_TERMS = 5;

/** What an operator can set: the default says the type. */
export const settings = {
  // How many entries behind is close enough.
  maxLag: { default: 100, min: 0 },
  // How many of the newest samples must be good.
  samples: { default: 5, min: 2, max: 100 },
};

/** Asked again with every sample. The same samples and settings must give the same verdict. */
export function promotion({ window, settings }) {
  if (window.length > 0) {
    const terms = window.at(-1).term() - window.at(0).term();
    if (terms > MOST_TERMS) return reject(`elections all the time: ${terms} terms`);
  }
  if (window.length < settings.samples) return wait(`${window.length} of ${settings.samples} samples`, 500);

  const newestFirst = window.last(settings.samples).reverse();
  if (!newestFirst.every((sample) => sample.reachable())) return wait('does not answer', 500);

  const far = newestFirst.find((sample) => sample.lag() > settings.maxLag);
  if (far) return wait(`${far.lag()} entries behind, at most ${settings.maxLag} allowed`, 500);

  const leader = newestFirst[0].leader();
  if (leader === null || !newestFirst.every((sample) => sample.leader() === leader)) return wait('the leader changed', 500);

  return approve();
}
